import type { TokenConstraint } from "../engine/generation.ts";
import { allow, forbid } from "../engine/mask-bits.ts";
import { GrammarError } from "../grammar/grammar-error.ts";
import type { CompiledGrammar, GrammarCompiler } from "../grammar/grammar.ts";
import type { AnswerOptions } from "./answer-types.ts";
import type { AnswerFormat } from "./format.ts";
import { RequestError } from "./request-error.ts";

/** The tokens that end an answer, and when they may. */
export interface AnswerStop {
  readonly stopTokenIds: readonly number[];
  /** Those of `stopTokenIds` that end the answer only if no other token is allowed. */
  readonly lastResortIds: readonly number[];
  /** An answer shorter than this ends only if no other token is allowed. */
  readonly minTokens: number;
}

/**
 * The stop rules of an answer.
 *
 * @param eos the checkpoint's own stop tokens. With `ignoreEos` they still end an answer with a
 *   format, once it is complete and nothing else may follow.
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

/** A new constraint for one answer. It allows stop tokens only where the answer matches the format. */
export function formatConstraint(grammar: CompiledGrammar, end: AnswerStop): TokenConstraint {
  const matcher = grammar.matcher();
  const { stopTokenIds, lastResortIds, minTokens } = end;
  let sampled = 0;
  return {
    mask(words) {
      matcher.mask(words);
      // The grammar may allow a stop token as text, but sampling it would end the answer.
      for (const id of stopTokenIds) forbid(words, id);
      const canContinue = words.some((word) => word !== 0);
      // If the vocabulary can't spell what must follow, the answer ends early rather than never.
      if (canContinue && (!matcher.complete || sampled < minTokens)) return true;
      const ids = canContinue
        ? stopTokenIds.filter((id) => !lastResortIds.includes(id))
        : stopTokenIds;
      for (const id of ids) allow(words, id);
      return true;
    },
    accept(token) {
      sampled++;
      if (!stopTokenIds.includes(token)) matcher.accept(token);
    },
  };
}

/**
 * Compiles a format to a grammar.
 *
 * @throws RequestError for a format that can't be enforced
 */
export async function compileFormat(
  grammars: GrammarCompiler,
  format: AnswerFormat,
): Promise<CompiledGrammar> {
  const { subject = "format", ...source } = format;
  try {
    return await grammars.compile(source);
  } catch (cause) {
    if (!(cause instanceof GrammarError)) throw cause;
    throw new RequestError("invalid_value", subject, `${cause.message}.`, { cause });
  }
}
