import type { QuantizationName } from "../weights/formats/registry.ts";
import type { OnProgress } from "../weights/progress.ts";

/** What a page asks of `load`, as it crosses to the worker. */
export interface ServeOptions {
  /** What relative URLs, of the model and of images, are resolved against. */
  readonly base: string;
  /** How matrices are kept on the GPU; "auto" is the checkpoint's own form. Default "auto". */
  readonly quantization?: QuantizationName;
  /** Tokens that prompt and answer may have together; default and limit: the checkpoint's. */
  readonly contextLength?: number;
  /** Image rows that one image may take in the prompt; larger ones are shrunk. Default 2048. */
  readonly maxImageTokens?: number;
  /** Endpoint of the hub that serves `org/name` sources. */
  readonly hub?: string;
  /** Access token for the hub. */
  readonly token?: string;
  /** False neither reads nor writes this device's copy of the weights. Default true. */
  readonly cache?: boolean;
}

/** Counters of a loaded model. */
export interface Stats {
  /** Forward passes so far, of prefill chunks and of single tokens alike. */
  readonly steps: number;
  /** Requests that run or wait. */
  readonly requests: number;
  /** Bytes of GPU memory held now, and the most there have been at once. */
  readonly gpuBytes: number;
  readonly peakGpuBytes: number;
}

/** A model that answers requests, on whichever thread it was loaded. */
export interface Server {
  /** The loaded model's id, as `GET /v1/models` lists it. */
  readonly id: string;
  fetch(request: Request): Promise<Response>;
  stats(): Stats;
  dispose(): void;
}

/**
 * Loads a model; resolves when the first request can be served. An aborted signal rejects with
 * its reason.
 */
export type Serve = (
  source: string,
  options: ServeOptions,
  onProgress: OnProgress,
  signal: AbortSignal,
) => Promise<Server>;

/** A `Request` in a form that can be posted. */
export interface RequestMessage {
  readonly method: string;
  /** Absolute. */
  readonly url: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: ArrayBuffer | null;
}

/** A `Response` in a form that can be posted; `body` is what `sendStream` made of it. */
export interface ResponseMessage {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: ReadableStream<Uint8Array> | MessagePort | null;
}

/** What answers requests at the far side of a border: of a worker, or of a service worker. */
export interface FetchHost {
  /** @param call names the call for `end`; the near side counts them */
  fetch(call: number, request: RequestMessage): Promise<ResponseMessage>;
  /** The near side is done with a call, whether it read all of it or not: aborts its signal. */
  end(call: number): void;
}

/** What the worker offers the page: a model to load, then a `fetch`. */
export interface Host extends FetchHost {
  /** @returns the model's id */
  load(source: string, options: ServeOptions, onProgress: OnProgress): Promise<string>;
  stats(): Stats;
  dispose(): void;
}
