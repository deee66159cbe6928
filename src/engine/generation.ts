import type { ImageLayout } from "../models/model.ts";
import type { Logprobs } from "../ops/logprobs.ts";
import type { DecodedImage } from "../platform/platform.ts";

/**
 * How the next token is chosen. Penalties and biases change the logits first, then one token is
 * sampled. Temperature 0 is greedy: `topK`, `topP`, `minP` and `seed` have no effect then.
 */
export interface Sampling {
  readonly temperature: number;
  /** Keep the k most likely tokens; 0 keeps all. */
  readonly topK: number;
  /** Keep the most likely tokens whose probabilities sum to `topP`, in (0, 1]. */
  readonly topP: number;
  /** Keep tokens at least `minP` times as likely as the most likely one, in [0, 1]. */
  readonly minP: number;
  /** The same seed, prompt and settings give the same tokens. */
  readonly seed: number;
  /** Subtracted from a token's logit once for each time the token was generated. Default 0. */
  readonly frequencyPenalty?: number;
  /** Subtracted from the logit of each token that was generated at least once. Default 0. */
  readonly presencePenalty?: number;
  /**
   * For each token in the prompt or the answer so far: divides a positive logit and multiplies a
   * negative one. Default 1.
   */
  readonly repetitionPenalty?: number;
  /** Added to logits, by token id. */
  readonly logitBias?: ReadonlyMap<number, number>;
}

/** A decoded image and its layout by the model's processor. */
export interface PreparedImage {
  readonly decoded: DecodedImage;
  /** Decodes the file again, where the pixels may be freed after their first use. */
  readonly decodeAgain?: () => Promise<DecodedImage>;
  /**
   * Identifies image and layout: two prepared images have the same key only if both are the same.
   * Without a key, the image's keys and values are not shared with other requests.
   */
  readonly key?: string;
  readonly layout: ImageLayout;
}

/** What a request waits for before its first token. */
export type GenerationProgress =
  /** `position` requests in the queue run before it. */
  | { readonly stage: "queue"; readonly position: number }
  /** Images that are encoded, or found in a cache. */
  | { readonly stage: "images"; readonly encoded: number; readonly total: number }
  /** Tokens of the prompt that were found in the cache, and those that are computed, these included. */
  | {
      readonly stage: "prompt";
      readonly cached: number;
      readonly computed: number;
      readonly total: number;
    };

/** One request to generate tokens. */
export interface GenerationInput {
  /**
   * Token ids of the prompt. The processor's `imageTokenId` stands for each token row of an image,
   * images in order.
   */
  readonly ids: readonly number[];
  readonly images: readonly PreparedImage[];
  readonly maxTokens: number;
  /**
   * The answer's first tokens, where another engine generated them: it goes on with the next one.
   * Default: none.
   */
  readonly begun?: readonly number[];
  /** Generation ends after one of these, which is then the last token generated. */
  readonly stopTokenIds: readonly number[];
  readonly sampling: Sampling;
  /**
   * None of `stopTokenIds` is sampled before this many tokens, unless the constraint allows nothing
   * else. Default 0.
   */
  readonly minTokens?: number;
  /**
   * Return the logprob of each token, and those of this many of the most likely tokens, 0 to 20. They
   * are the log-softmax of the model's own logits, before temperature, penalties and biases. Default:
   * return none.
   */
  readonly logprobs?: number;
  /**
   * Which tokens may be sampled. It decides about stop tokens, too. Default: every token may be
   * sampled.
   */
  readonly constraint?: TokenConstraint;
  /** Requests of a lower number run first. Among equal ones, the older runs first. Default 0. */
  readonly priority?: number | undefined;
  /** Requests share cached rows only with requests of the same salt. Default "". */
  readonly cacheSalt?: string;
  /** Called before the first token, with the number of prompt tokens found in the cache. */
  readonly onCached?: (tokens: number) => void;
  /** Called whenever what it waits for changes. */
  readonly onProgress?: ((progress: GenerationProgress) => void) | undefined;
  readonly signal?: AbortSignal;
}

/** Decides, token by token, which tokens may be sampled for one answer. */
export interface TokenConstraint {
  /**
   * Computes which tokens may be sampled next, after those that were passed to `accept`. The engine
   * calls no other method before the promise settles.
   *
   * @param words `[ceil(V / 32)]`, all zero. Bit `id % 32` of word `id / 32` receives 1 for a token
   *   that may be sampled. At least one token must be.
   * @returns false when every token may be sampled; then `words` is ignored
   */
  mask(words: Uint32Array): boolean | Promise<boolean>;
  /** Receives each sampled token. */
  accept(token: number): void;
}

/** One sampled token. */
export interface GeneratedToken {
  readonly token: number;
  /** Present when the input asks for logprobs. */
  readonly logprobs?: Logprobs;
}

/** What the chat layer needs of an engine. */
export interface TokenGenerator {
  /** The most tokens that prompt and answer have together. */
  readonly contextLength: number;
  /** The most images that a prompt has. Default: as many as fit into the context. */
  readonly maxImages?: number | undefined;
  /**
   * Generates tokens, the stop token included, until a stop token or `maxTokens`. Returning from the
   * iteration, or aborting the signal, stops the GPU work within a step. Several requests run at once;
   * their tokens are those that each has alone.
   *
   * @throws QueueFullError when too many requests wait
   * @throws RangeError when prompt or images don't fit
   * @throws DeviceLostError when the GPU is gone
   * @throws the signal's reason when it aborts
   */
  generate(input: GenerationInput): AsyncGenerator<GeneratedToken, void, void>;
  /** Empties the cache. Running requests are not kept either. */
  flush?(): void;
}

/** Thrown when more requests wait than the engine's queue holds. */
export class QueueFullError extends Error {
  override name = "QueueFullError";
}
