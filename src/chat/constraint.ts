import type { TokenConstraint } from "../engine/generation.ts";
import { allow, forbid } from "../engine/mask-bits.ts";
import { GrammarError } from "../grammar/grammar-error.ts";
import type { GrammarCompiler, Matcher } from "../grammar/grammar.ts";
import type { AnswerOptions } from "./answer-types.ts";
import type { AnswerFormat } from "./format.ts";
import { RequestError } from "./request-error.ts";

/** Which tokens end an answer, and when. */
export interface AnswerStop {
  readonly stopTokenIds: readonly number[];
  /** Of these: what ends the answer only where nothing else may come. */
  readonly lastResortIds: readonly number[];
  /** Before so many tokens, the answer ends only where nothing else may come. */
  readonly minTokens: number;
}

/**
 * How an answer ends.
 *
 * @param eos the checkpoint's own stop tokens; where they are to be ignored, a format that is
 * complete must still end somehow
 */
export function answerStop(
  { format, ignoreEos = false, stopTokenIds = [], minTokens = 0 }: AnswerOptions,
  eos: readonly number[],
): AnswerStop {
  return {
    stopTokenIds: [...(ignoreEos && !format ? [] : eos), ...stopTokenIds],
    lastResortIds: ignoreEos ? eos.filter((id) => !stopTokenIds.includes(id)) : [],
    minTokens,
  };
}

/**
 * A fresh constraint for one answer. Its end is drawn where the answer matches, and nowhere else.
 *
 * @throws RequestError for a format that can't be honoured
 */
export function formatConstraint(
  grammars: GrammarCompiler,
  format: AnswerFormat,
  end: AnswerStop,
): TokenConstraint {
  const matcher = matcherOf(grammars, format);
  const { stopTokenIds, lastResortIds, minTokens } = end;
  let drawn = 0;
  return {
    mask(words) {
      matcher.mask(words);
      // Such a token may be part of a text too; but the answer would end with it.
      for (const id of stopTokenIds) forbid(words, id);
      const goesOn = words.some((word) => word !== 0);
      // Where a vocabulary can't spell what must come, the answer ends too soon rather than never.
      if (goesOn && (!matcher.complete || drawn < minTokens)) return true;
      const ids = goesOn ? stopTokenIds.filter((id) => !lastResortIds.includes(id)) : stopTokenIds;
      for (const id of ids) allow(words, id);
      return true;
    },
    accept(token) {
      drawn++;
      if (!stopTokenIds.includes(token)) matcher.accept(token);
    },
  };
}

function matcherOf(grammars: GrammarCompiler, format: AnswerFormat): Matcher {
  const { subject = "format", ...source } = format;
  try {
    return grammars.matcher(source);
  } catch (cause) {
    if (!(cause instanceof GrammarError)) throw cause;
    throw new RequestError("invalid_value", subject, `${cause.message}.`, { cause });
  }
}
