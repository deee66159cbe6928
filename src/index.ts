import { readEvents } from "./net/event-stream.ts";
import {
  type FetchHandler,
  type InterceptOptions as PrefixOptions,
  intercept as claim,
  pageFetch,
} from "./net/intercept.ts";
import {
  type OriginServer,
  type ServeOriginOptions as OfferOptions,
  serveOrigin as offer,
} from "./net/origin/serve-origin.ts";
import { type UpstreamOptions, upstreamUrl } from "./net/upstream/upstream.ts";
import { type LocalModel, withUpstream } from "./net/upstream/with-upstream.ts";
import { OpenAIError } from "./openai/errors.ts";
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionRequest,
  ErrorBody,
} from "./openai/wire.ts";
import type { OnProgress, Progress } from "./weights/progress.ts";
import type { ServeOptions, Stats } from "./worker/api.ts";
import { loadInWorker } from "./worker/client.ts";
import { isDeviceError } from "./worker/device-error.ts";
import ModelWorker from "./worker/entry.ts?worker&inline";

export { OpenAIError, isDeviceError };
export type { OnProgress, OriginServer, Progress, Stats, UpstreamOptions };
/** What crosses the wire. */
export type * from "./openai/wire.ts";
export type * as Responses from "./openai/responses-wire.ts";

export interface LoadOptions extends Omit<ServeOptions, "base"> {
  /** Stops loading; `load` then rejects with its reason. */
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}

export interface CallOptions {
  /** Stops the GPU work within a step; the call then throws its reason. */
  readonly signal?: AbortSignal;
}

export interface InterceptOptions extends PrefixOptions {
  /**
   * A server with OpenAI's API, SGLang or vLLM say, that answers what asks for another model than the
   * loaded one. It must allow this page's origin to ask it.
   */
  readonly upstream?: UpstreamOptions;
}

export interface ServeOriginOptions extends OfferOptions {
  /**
   * As for `intercept`; not below the prefix that is answered. Where the model that is to be loaded
   * turns out to be unfit for this device, as `isDeviceError` tells, it answers everything.
   */
  readonly upstream?: UpstreamOptions;
}

/** A loaded model, in a worker of its own. */
export interface Vlm {
  /** The model's id, as `GET /v1/models` lists it. */
  readonly id: string;
  /**
   * A `fetch` that this model answers, for clients that take one: whatever the origin, the part of
   * the path from "/v1/" on says what is asked.
   */
  readonly fetch: typeof globalThis.fetch;
  /**
   * Answers the page's own `fetch("/v1/…")` with this model; other calls are not touched.
   *
   * @returns the undo, which `dispose` calls too
   * @throws RangeError for a bad prefix or upstream, Error for a prefix that is already intercepted
   */
  intercept(options?: InterceptOptions): () => void;
  /**
   * One whole answer.
   *
   * @throws OpenAIError when the request is refused or fails
   */
  generate(
    body: Omit<ChatCompletionRequest, "stream">,
    options?: CallOptions,
  ): Promise<ChatCompletion>;
  /**
   * An answer as it is written. Leaving the loop stops the GPU work within a step.
   *
   * @throws OpenAIError when the request is refused or fails
   */
  stream(
    body: Omit<ChatCompletionRequest, "stream">,
    options?: CallOptions,
  ): AsyncGenerator<ChatCompletionChunk, void, void>;
  stats(): Promise<Stats>;
  /** Frees the model and its GPU memory; what still runs fails with `device_lost`. */
  dispose(): void;
}

/**
 * Loads a model; resolves when the first request can be served.
 *
 * @param source a hub repository (`org/name`, `org/name@revision`), or the URL or path of a folder
 *   in Hugging Face's layout; a path is resolved against the page
 * @throws NoGpuError where there is no WebGPU, the signal's reason, or Error with what went wrong
 */
export async function load(source: string, options: LoadOptions = {}): Promise<Vlm> {
  const { signal, onProgress, ...serve } = options;
  const client = await loadInWorker(
    new ModelWorker(),
    source,
    { ...serve, base: document.baseURI },
    onProgress,
    signal,
  );
  const undos: (() => void)[] = [];

  const post = async (body: object, { signal }: CallOptions): Promise<Response> => {
    const url = new URL("/v1/chat/completions", location.origin);
    const headers = { "content-type": "application/json" };
    const init = { method: "POST", headers, body: JSON.stringify(body), signal: signal ?? null };
    const response = await client.fetch(new Request(url, init));
    if (response.ok) return response;
    throw failure(response.status, (await response.json()) as ErrorBody);
  };

  return {
    id: client.id,

    fetch: async (input, init) => {
      const request = new Request(input, init);
      return client.fetch(request, servedUrl(request.url));
    },

    intercept({ upstream, ...claimed } = {}) {
      const undo = claim(answering(client, upstream), claimed);
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
        if ("error" in chunk) throw failure(response.status, chunk);
        yield chunk;
      }
    },

    stats: () => client.stats(),

    dispose() {
      for (const undo of undos) undo();
      client.dispose();
    },
  };
}

/**
 * Has an upstream server answer the page's own `fetch("/v1/…")`, where no model could be loaded.
 *
 * @returns the undo
 * @throws RangeError for a bad prefix or upstream, Error for a prefix that is already intercepted
 */
export function intercept({
  upstream,
  ...claimed
}: InterceptOptions & { readonly upstream: UpstreamOptions }): () => void {
  return claim(throughPage(undefined, upstream), claimed);
}

/**
 * Offers a model to the whole origin: `fetch("/v1/…")` of every tab, frame and worker that the
 * page's service worker (`webvlm/service-worker`) controls is answered by it. Of all tabs that offer
 * one, a single one does so; when it closes, the next takes over.
 *
 * @param model loaded already, or how to load it: called only when this tab is the one that answers,
 *   so that the origin has one copy on the GPU
 * @returns once this tab's model is loaded, or at once when another tab answers already
 * @throws Error where there is no service worker; RangeError for a bad upstream; what loading throws
 */
export async function serveOrigin(
  model: Vlm | (() => Promise<Vlm>),
  { upstream, ...offered }: ServeOriginOptions = {},
): Promise<OriginServer> {
  let loaded: Vlm | undefined;
  if (upstream) checkOutside(upstream, offered.prefix);
  const server = await offer(async () => {
    let vlm: Vlm;
    try {
      vlm = typeof model === "function" ? (loaded = await model()) : model;
    } catch (error) {
      if (!upstream || !isDeviceError(error)) throw error;
      return throughPage(undefined, upstream);
    }
    const fetch: FetchHandler = (request, url) => vlm.fetch(new Request(url, request));
    return answering({ id: vlm.id, fetch }, upstream);
  }, offered);
  return {
    get owner() {
      return server.owner;
    },
    close() {
      server.close();
      loaded?.dispose();
    },
  };
}

function answering(local: LocalModel, upstream: UpstreamOptions | undefined): FetchHandler {
  return upstream ? throughPage(local, upstream) : local.fetch;
}

function throughPage(local: LocalModel | undefined, upstream: UpstreamOptions): FetchHandler {
  return withUpstream(local, upstream, { fetch: pageFetch, base: document.baseURI });
}

/** @throws RangeError for an upstream that the service worker would send back here */
function checkOutside({ url }: UpstreamOptions, prefix = "/v1/"): void {
  const { origin, pathname } = new URL(upstreamUrl(url, document.baseURI));
  if (origin !== location.origin || !`${pathname}/`.startsWith(prefix)) return;
  throw new RangeError(`serveOrigin: the upstream is below ${prefix}, which is answered here`);
}

/** @returns the URL with its path cut to begin at "/v1/", where it has that */
function servedUrl(href: string): string {
  const url = new URL(href);
  url.pathname = url.pathname.slice(Math.max(0, url.pathname.indexOf("/v1/")));
  return url.href;
}

function failure(status: number, { error }: ErrorBody): OpenAIError {
  return new OpenAIError(status, error.message, error);
}
