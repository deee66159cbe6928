import type { GenerationProgress, Sampling } from "../engine/generation.ts";
import type { AnswerPiece } from "./answer-reader.ts";
import type { AnswerFormat } from "./format.ts";
import type { TokenLogprobs } from "./logprobs.ts";
import type { TokenizedPrompt } from "./prompt.ts";
import type { AnswerUsage } from "./usage.ts";

/** How to answer. The checkpoint's generation_config.json has the defaults for sampling. */
export interface AnswerOptions {
  /** More than fit into the context means all that fit. Default: all that fit. */
  readonly maxTokens?: number;
  /** Strings that end the answer. */
  readonly stop?: readonly string[];
  /** Tokens that end the answer, in addition to the checkpoint's own. */
  readonly stopTokenIds?: readonly number[];
  /** Keep the stop string, or the stop token's text, in the answer. Default false. */
  readonly keepStop?: boolean;
  /** Continue after the checkpoint's end-of-sequence tokens. Default false. */
  readonly ignoreEos?: boolean;
  /** Leave special tokens out of the text. Default true. */
  readonly skipSpecialTokens?: boolean;
  /** The format that the answer must match. Default: any text. */
  readonly format?: AnswerFormat;
  readonly sampling?: Partial<Sampling>;
  /** Sample no stop token before this many tokens. Default 0. */
  readonly minTokens?: number;
  /** Report logprobs, and those of the 0 to 20 most likely tokens. Default: report none. */
  readonly logprobs?: number;
  /** Answers of a lower number begin first. Default 0. */
  readonly priority?: number;
  /** Share the prefix cache only with requests that have the same salt. Default "". */
  readonly cacheSalt?: string;
  /** Number of answers. The i-th is sampled with `seed` + i. Default 1. */
  readonly choices?: number;
  /** Called while the answer's first token, or that of its first choice, is waited for. */
  readonly onProgress?: ((progress: GenerationProgress) => void) | undefined;
  readonly signal?: AbortSignal;
}

/** Why an answer ended. */
export interface Finish {
  /** "tool_calls": the answer stopped by itself and calls tools. */
  readonly reason: "stop" | "length" | "tool_calls";
  /** The stop token's id or the stop string; null if neither ended the answer. */
  readonly matched: number | string | null;
}

/** What one token adds to an answer. The text, which excludes reasoning and tool calls, may be empty. */
export interface AnswerDelta extends AnswerPiece {
  /** The index of the choice. Choices come interleaved. */
  readonly choice: number;
  /** Undefined if the delta only has text that was held back before. */
  readonly token?: number;
  /** The token's logprobs, if requested. A stop token has none unless it is kept in the text. */
  readonly logprobs?: TokenLogprobs;
  /** On the last delta of a choice only. */
  readonly finish?: Finish;
}

/** A running answer. */
export interface ChatAnswer {
  readonly prompt: TokenizedPrompt;
  /** Grows as the deltas are read. */
  readonly usage: AnswerUsage;
  /** Runs the model while it is iterated. Returning from it stops the model. */
  readonly deltas: AsyncGenerator<AnswerDelta, void, void>;
}
