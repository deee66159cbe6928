import type { ImageLayout } from "../models/model.ts";
import type { Picture } from "../platform/platform.ts";

/** How the next token is drawn. Temperature 0 is greedy; then nothing else matters. */
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
}

/** A decoded picture with what its model's processor makes of it. */
export interface PreparedImage {
  readonly picture: Picture;
  readonly layout: ImageLayout;
}

export interface GenerationInput {
  /** Prompt token ids; each image row is the processor's `imageTokenId`, in image order. */
  readonly ids: readonly number[];
  readonly images: readonly PreparedImage[];
  readonly maxTokens: number;
  /** Generation ends after one of these, which is the last token given. */
  readonly stopTokenIds: readonly number[];
  readonly sampling: Sampling;
  readonly signal?: AbortSignal;
}

/** What the chat layer needs of an engine. */
export interface Generator {
  /** Prompt and answer together hold at most this many tokens. */
  readonly contextLength: number;
  /**
   * Token ids as they are sampled, the stopping one included; ends early at `maxTokens`.
   * Returning from the iteration, or the signal, stops the GPU work within a step; an aborted
   * signal throws its reason. Requests wait for one another, first come first served.
   *
   * @throws QueueFullError when too many wait, DeviceLostError when the GPU is gone
   */
  generate(input: GenerationInput): AsyncGenerator<number, void, void>;
}

/** Thrown when more requests wait than the engine's queue holds. */
export class QueueFullError extends Error {
  override name = "QueueFullError";
}
