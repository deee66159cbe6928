import type { KvType } from "../ops/cache.ts";
import type { QuantizationName } from "../weights/formats/registry.ts";
import type { DeviceMemory } from "./memory-budget.ts";

/** How a model runs once its checkpoint is open. */
export interface RuntimeOptions {
  /**
   * Storage format of the weight matrices on the GPU. "auto" takes as many bits as fit the device.
   * Default "auto".
   */
  readonly quantization?: QuantizationName;
  /** GPU memory that "auto" may use, in bytes. Default: an estimate for this device. */
  readonly memoryBytes?: number;
  /** What is known of this device's memory, for that estimate. */
  readonly device?: DeviceMemory;
  /**
   * How keys and values of tokens are kept: "f16" takes half of the memory, and rounds each number to 11
   * bits. Default: "f32", or what "auto" chooses.
   */
  readonly kvCache?: KvType;
  /** Most tokens of prompt and answer together. The model's own limit is the upper bound. */
  readonly contextLength?: number;
  /** Most prompt tokens for one image. A larger image is shrunk. Default 2048. */
  readonly maxImageTokens?: number;
  /**
   * Time in seconds without requests after which the model leaves the GPU. The next request loads it
   * again, from what is stored. Default: it stays.
   */
  readonly keepAliveSeconds?: number;
  /**
   * Refuse a request whose `max_tokens` is more than the context has room for, as OpenAI does, instead
   * of lowering it. Default false.
   */
  readonly strictMaxTokens?: boolean;
}

/** How a checkpoint is found, downloaded and run. */
export interface SourceOptions extends RuntimeOptions {
  /** Base of relative URLs, both of the model and of images. */
  readonly base: string;
  /** Endpoint of the hub that serves `org/name` sources. Default "https://huggingface.co". */
  readonly hub?: string;
  /** Access token for the hub. */
  readonly token?: string;
  /** False neither reads nor writes the weights stored on this device. Default true. */
  readonly cache?: boolean;
  /**
   * Asks the server whether a model that is stored has changed, and downloads what has. Without it,
   * what is stored is used as it is. Default false.
   */
  readonly refresh?: boolean;
}
