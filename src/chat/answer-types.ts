import type { Sampling } from "../engine/generation.ts";
import type { AnswerPiece } from "./answer-reader.ts";
import type { AnswerFormat } from "./format.ts";
import type { TokenLogprobs } from "./logprobs.ts";
import type { TokenizedPrompt } from "./prompt.ts";
import type { AnswerUsage } from "./usage.ts";

/** How to answer; what is left out is as the checkpoint says. */
export interface AnswerOptions {
  /** Default: as many as the context has room for. */
  readonly maxTokens?: number;
  /** Strings that end the answer. */
  readonly stop?: readonly string[];
  /** Tokens that end the answer besides the checkpoint's own. */
  readonly stopTokenIds?: readonly number[];
  /** Leave the stop string, or the stop token's text, in the answer. Default false. */
  readonly keepStop?: boolean;
  /** Go on after the checkpoint's end-of-sequence tokens. */
  readonly ignoreEos?: boolean;
  /** Default true. */
  readonly skipSpecialTokens?: boolean;
  /** What the answer must match. Default: anything. */
  readonly format?: AnswerFormat;
  readonly sampling?: Partial<Sampling>;
  /** Draw no stop token before this many tokens. Default 0. */
  readonly minTokens?: number;
  /** Tell logprobs, with those of this many of the most likely tokens, 0 to 20. Default: tell none. */
  readonly logprobs?: number;
  /** Share cached keys and values only with requests of the same salt. Default "". */
  readonly cacheSalt?: string;
  /** How many answers there are; the i-th is drawn with `seed` + i. Default 1. */
  readonly choices?: number;
  readonly signal?: AbortSignal;
}

/** Why an answer ended: the stop token's id or the stop string, null at the length limit. */
export interface Finish {
  /** "tool_calls": it ended by itself, and called tools. */
  readonly reason: "stop" | "length" | "tool_calls";
  readonly matched: number | string | null;
}

/**
 * What one more token brought; the text, which has neither reasoning nor calls of tools in it, may be
 * empty.
 */
export interface AnswerDelta extends AnswerPiece {
  /** Which choice it belongs to: one comes after another. */
  readonly choice: number;
  /** The token; none where the text was held back from an earlier one. */
  readonly token?: number;
  /** The token's logprobs where they are asked for; none of a stop token that is not in the text. */
  readonly logprobs?: TokenLogprobs;
  /** On the last delta of a choice only. */
  readonly finish?: Finish;
}

/** An answer under way. */
export interface ChatAnswer {
  readonly prompt: TokenizedPrompt;
  /** Counts on as the deltas are read. */
  readonly usage: AnswerUsage;
  /** Runs the model as it is iterated; returning from it stops the model. */
  readonly deltas: AsyncGenerator<AnswerDelta, void, void>;
}
