import type { ImageLayout } from "../models/model.ts";
import type { Logprobs } from "../ops/logprobs.ts";
import type { DecodedImage } from "../platform/platform.ts";

/**
 * How the next token is drawn: the logits are penalized and biased, then sampled. Temperature 0 is
 * greedy; then topK, topP, minP and seed don't matter.
 */
export interface Sampling {
  readonly temperature: number;
  /** Keep the k most likely; 0 keeps all. */
  readonly topK: number;
  /** Keep the most likely whose probabilities sum to `topP`, in (0, 1]. */
  readonly topP: number;
  /** Keep what has at least `minP` times the probability of the most likely, in [0, 1]. */
  readonly minP: number;
  /** The same seed, prompt and settings give the same tokens. */
  readonly seed: number;
  /** Subtracted from a token's logit for each time it was generated. Default 0. */
  readonly frequencyPenalty?: number;
  /** Subtracted from the logit of a token that was generated. Default 0. */
  readonly presencePenalty?: number;
  /**
   * Divides the positive and multiplies the negative logits of tokens in the prompt and of those
   * generated. Default 1.
   */
  readonly repetitionPenalty?: number;
  /** Added to logits, by token id. */
  readonly logitBias?: ReadonlyMap<number, number>;
}

/** A decoded image with what its model's processor makes of it. */
export interface PreparedImage {
  readonly decoded: DecodedImage;
  /**
   * The same only for the same image in the same layout. Without it the image's keys and values
   * are not shared with other requests.
   */
  readonly key?: string;
  readonly layout: ImageLayout;
  /** Another call will read the image: it must not be closed yet. */
  readonly reused?: boolean;
}

export interface GenerationInput {
  /** Prompt token ids; each image row is the processor's `imageTokenId`, in image order. */
  readonly ids: readonly number[];
  readonly images: readonly PreparedImage[];
  readonly maxTokens: number;
  /** Generation ends after one of these, which is the last token given. */
  readonly stopTokenIds: readonly number[];
  readonly sampling: Sampling;
  /**
   * None of `stopTokenIds` is drawn before this many tokens, unless the constraint allows nothing
   * else. Default 0.
   */
  readonly minTokens?: number;
  /**
   * Tell each token's logprob, and those of this many of the most likely, 0 to 20: the log-softmax
   * of the model's own logits, before temperature, penalties and bias. Default: tell none.
   */
  readonly logprobs?: number;
  /** Default: every token may come next. It is what allows stop tokens, too. */
  readonly constraint?: TokenConstraint;
  /** Requests share what is cached only with those of the same salt. Default "". */
  readonly cacheSalt?: string;
  /** Told before the first token how many of the prompt's tokens were found in the cache. */
  readonly onCached?: (tokens: number) => void;
  readonly signal?: AbortSignal;
}

/** Decides which tokens may be drawn, one after another, for one answer. */
export interface TokenConstraint {
  /**
   * Tells what may be drawn next; `accept` must have been told of all that was drawn before.
   *
   * Nothing else is asked before the promise settles.
   *
   * @param words `[ceil(V / 32)]`, zero: receives bit `id % 32` of word `id / 32` for what may be
   * drawn, which is one token at least
   * @returns false when all tokens may; then the words don't matter
   */
  mask(words: Uint32Array): boolean | Promise<boolean>;
  accept(token: number): void;
}

/** A token as it is drawn. */
export interface GeneratedToken {
  readonly token: number;
  /** Where the input asks for them. */
  readonly logprobs?: Logprobs;
}

/** What the chat layer needs of an engine. */
export interface TokenGenerator {
  /** Prompt and answer together hold at most this many tokens. */
  readonly contextLength: number;
  /** A prompt has at most this many images. Default: as many as the context holds. */
  readonly maxImages?: number | undefined;
  /**
   * Tokens as they are sampled, the stopping one included; ends early at `maxTokens`.
   * Returning from the iteration, or the signal, stops the GPU work within a step; an aborted
   * signal throws its reason. Requests wait for one another, first come first served.
   *
   * @throws QueueFullError when too many wait, DeviceLostError when the GPU is gone
   */
  generate(input: GenerationInput): AsyncGenerator<GeneratedToken, void, void>;
  /** Forgets what is kept of earlier requests, and keeps nothing of the one under way. */
  flush?(): void;
}

/** Thrown when more requests wait than the engine's queue holds. */
export class QueueFullError extends Error {
  override name = "QueueFullError";
}
