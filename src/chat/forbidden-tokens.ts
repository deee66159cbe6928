import type { TokenConstraint } from "../engine/generation.ts";
import { forbid } from "../engine/mask-bits.ts";

/** The fields of generation_config.json that forbid tokens. */
export interface ForbiddenTokens {
  /** Never sampled. */
  readonly suppress_tokens?: readonly number[] | null;
  /** Never the first token of an answer. */
  readonly begin_suppress_tokens?: readonly number[] | null;
  /** Sequences that never come. */
  readonly bad_words_ids?: readonly (readonly number[])[] | null;
  /** No sequence of so many tokens comes twice, the prompt's included; 0 allows all. */
  readonly no_repeat_ngram_size?: number | null;
}

/** @returns whether any of the fields forbids something */
export function forbidsTokens(fields: ForbiddenTokens): boolean {
  const { suppress_tokens, begin_suppress_tokens, bad_words_ids, no_repeat_ngram_size } = fields;
  const lists = [suppress_tokens, begin_suppress_tokens, bad_words_ids];
  return lists.some((list) => list && list.length > 0) || (no_repeat_ngram_size ?? 0) > 0;
}

/**
 * A constraint that forbids tokens as transformers' logits processors of the same names do. Where an
 * answer's format allows no other token, the format decides.
 *
 * @param prompt token ids
 * @param stopTokenIds of which none alone is a bad word
 * @param format the constraint of the answer's format
 */
export function forbidTokens(
  fields: ForbiddenTokens,
  prompt: readonly number[],
  stopTokenIds: readonly number[],
  format?: TokenConstraint,
): TokenConstraint {
  const history = [...prompt];
  const badWords = (fields.bad_words_ids ?? []).filter(
    (word) => word.length > 0 && !(word.length === 1 && stopTokenIds.includes(word[0] as number)),
  );
  const follows = (word: readonly number[]): boolean =>
    word.slice(0, -1).every((id, i) => history.at(i + 1 - word.length) === id);
  const forbidden = (): readonly number[] => [
    ...(fields.suppress_tokens ?? []),
    ...(history.length === prompt.length ? (fields.begin_suppress_tokens ?? []) : []),
    ...badWords.filter(follows).map((word) => word.at(-1) as number),
    ...repeats(history, fields.no_repeat_ngram_size ?? 0),
  ];
  const apply = (words: Uint32Array, isLimited: boolean): boolean => {
    if (!isLimited) words.fill(0xffffffff);
    const allowed = words.slice();
    for (const id of forbidden()) forbid(words, id);
    if (words.every((word) => word === 0)) words.set(allowed);
    return true;
  };
  return {
    mask(words) {
      const limited = format?.mask(words) ?? false;
      if (typeof limited === "boolean") return apply(words, limited);
      return limited.then((isLimited) => apply(words, isLimited));
    },
    accept(token) {
      history.push(token);
      format?.accept(token);
    },
  };
}

/** The tokens that have followed the last `size - 1` tokens before. */
function repeats(history: readonly number[], size: number): readonly number[] {
  if (size <= 0 || history.length < size) return [];
  const tail = history.slice(history.length - size + 1);
  const found: number[] = [];
  for (let end = size - 1; end < history.length; end++) {
    if (tail.every((id, i) => history[end - size + 1 + i] === id))
      found.push(history[end] as number);
  }
  return found;
}
