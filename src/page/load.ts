import { readEvents } from "../net/event-stream.ts";
import { OpenAIError } from "../openai/errors.ts";
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionRequest,
  ErrorBody,
} from "../openai/wire.ts";
import type { Stats } from "../runtime/loaded-model.ts";
import type { SourceOptions } from "../runtime/options.ts";
import type { OnProgress } from "../weights/progress.ts";
import { loadInWorker } from "../worker/load-in-worker.ts";
import { memoryOfDevice } from "./device.ts";
import { type InterceptOptions, interceptWith } from "./intercept.ts";
import { type LocalSource, isHandle } from "./local-folder.ts";
import { openLocal } from "./local-models.ts";
import { withModelWorker } from "./with-model-worker.ts";

export interface LoadOptions extends Omit<SourceOptions, "base" | "device"> {
  /** Stops loading. `load` then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called as bytes arrive. */
  readonly onProgress?: OnProgress;
}

export interface CallOptions {
  /** Stops the GPU within a step. The call then throws the signal's reason. */
  readonly signal?: AbortSignal;
}

/** A loaded model, in a worker of its own. */
export interface Vlm {
  /** The model's id, as `GET /v1/models` lists it. */
  readonly id: string;
  /**
   * A `fetch` that this model answers, for clients that take one. The origin of a URL is ignored; the
   * path from "/v1/" on says what is asked.
   */
  readonly fetch: typeof globalThis.fetch;
  /**
   * Lets this model answer the page's own `fetch("/v1/…")`. Other calls stay untouched.
   *
   * @returns the undo, which `dispose` calls too
   * @throws RangeError for an invalid prefix or upstream, Error for a prefix that is already
   *   intercepted
   */
  intercept(options?: InterceptOptions): () => void;
  /**
   * Computes one whole answer.
   *
   * @throws OpenAIError when the request is rejected or fails
   */
  generate(
    body: Omit<ChatCompletionRequest, "stream">,
    options?: CallOptions,
  ): Promise<ChatCompletion>;
  /**
   * Streams an answer. Leaving the loop stops the GPU within a step.
   *
   * @throws OpenAIError when the request is rejected or fails
   */
  stream(
    body: Omit<ChatCompletionRequest, "stream">,
    options?: CallOptions,
  ): AsyncGenerator<ChatCompletionChunk, void, void>;
  stats(): Promise<Stats>;
  /**
   * Frees the GPU memory until the next request, which loads the model again from what is stored.
   *
   * @returns false when requests run; then nothing happens
   */
  unload(): Promise<boolean>;
  /** Frees the model and its GPU memory. Running requests fail with `device_lost`. */
  dispose(): void;
}

/**
 * Loads a model. Resolves when it can answer the first request.
 *
 * @param source a hub repository (`org/name`, `org/name@revision`), or the URL or path of a folder
 *   in Hugging Face's layout. A path is relative to the page. Or a folder on the user's own disk, which
 *   is read in place: a directory handle, what `droppedFolder` returns, or the files of an
 *   `<input type="file">`. A handle is remembered for `localModels`, unless `cache` is false.
 * @throws DeviceError when this device can't run the model: NoGpuError without WebGPU,
 *   OutOfMemoryError or DeviceLostError. The signal's reason. Error for any other failure, such as a
 *   call outside of a page.
 */
export async function load(source: string | LocalSource, options: LoadOptions = {}): Promise<Vlm> {
  const { signal, onProgress, ...rest } = options;
  const opened = await openLocal(source);
  signal?.throwIfAborted();
  const model = await withModelWorker("load", (worker) => {
    const known = { base: document.baseURI, device: memoryOfDevice() };
    return loadInWorker(worker, opened, { ...rest, ...known }, onProgress, signal);
  });
  if (typeof source !== "string" && isHandle(source) && options.cache !== false) {
    await (await import("./storage-tasks.ts")).rememberHandle(source);
  }
  const undos: (() => void)[] = [];

  const post = async (body: object, { signal }: CallOptions): Promise<Response> => {
    const url = new URL("/v1/chat/completions", location.origin);
    const headers = { "content-type": "application/json" };
    const init = { method: "POST", headers, body: JSON.stringify(body), signal: signal ?? null };
    const response = await model.fetch(new Request(url, init));
    if (response.ok) return response;
    throw toError(response.status, (await response.json()) as ErrorBody);
  };

  return {
    id: model.id,

    fetch: async (input, init) => {
      const request = new Request(input, init);
      return model.fetch(request, apiUrl(request.url));
    },

    intercept(interceptOptions) {
      const undo = interceptWith(model, interceptOptions);
      undos.push(undo);
      return undo;
    },

    async generate(body, callOptions = {}) {
      const response = await post({ ...body, stream: false }, callOptions);
      return (await response.json()) as ChatCompletion;
    },

    async *stream(body, callOptions = {}) {
      const response = await post({ ...body, stream: true }, callOptions);
      for await (const data of readEvents(response.body as ReadableStream<Uint8Array>)) {
        if (data === "[DONE]") return;
        const chunk = JSON.parse(data) as ChatCompletionChunk | ErrorBody;
        if ("error" in chunk) throw toError(response.status, chunk);
        yield chunk;
      }
    },

    stats: () => model.stats(),
    unload: () => model.unload(),

    dispose() {
      for (const undo of undos) undo();
      model.dispose();
    },
  };
}

/** @returns the URL without the part of its path before "/v1/" */
function apiUrl(href: string): string {
  const url = new URL(href);
  url.pathname = url.pathname.slice(Math.max(0, url.pathname.indexOf("/v1/")));
  return url.href;
}

function toError(status: number, { error }: ErrorBody): OpenAIError {
  return new OpenAIError(status, error.message, error);
}
