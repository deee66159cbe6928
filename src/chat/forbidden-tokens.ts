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
  const repeated = followers(fields.no_repeat_ngram_size ?? 0);
  for (const token of prompt) repeated.add(token);
  const badWords = (fields.bad_words_ids ?? []).filter(
    (word) => word.length > 0 && !(word.length === 1 && stopTokenIds.includes(word[0] as number)),
  );
  const follows = (word: readonly number[]): boolean =>
    word.slice(0, -1).every((id, i) => history.at(i + 1 - word.length) === id);
  const forbidden = (): readonly number[] => [
    ...(fields.suppress_tokens ?? []),
    ...(history.length === prompt.length ? (fields.begin_suppress_tokens ?? []) : []),
    ...badWords.filter(follows).map((word) => word.at(-1) as number),
    ...repeated.current,
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
      repeated.add(token);
      format?.accept(token);
    },
  };
}

interface Followers {
  /** The tokens that have come after the last `size - 1` tokens before. */
  readonly current: Iterable<number>;
  add(token: number): void;
}

/** An index of the tokens after each `size - 1` tokens; `size` 0 indexes none. */
function followers(size: number): Followers {
  const after = new Map<string, Set<number>>();
  const last: number[] = [];
  return {
    get current() {
      return (last.length === size - 1 && after.get(last.join())) || [];
    },
    add(token) {
      if (size <= 0) return;
      if (last.length === size - 1) {
        const key = last.join();
        const known = after.get(key) ?? new Set();
        after.set(key, known.add(token));
      }
      last.push(token);
      if (last.length >= size) last.shift();
    },
  };
}
