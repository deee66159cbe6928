import * as comlink from "comlink";
import { OpenAIError } from "../openai/errors.ts";
import type { OnProgress } from "../weights/progress.ts";
import type { Host, RequestMessage, ServeOptions, Stats } from "./api.ts";
import { receiveStream } from "./stream.ts";

/** A model in a worker, as the page sees it. */
export interface Client {
  /** The loaded model's id. */
  readonly id: string;
  /**
   * Answers a request in the worker. The request's signal, and cancelling the answer's body, abort
   * the worker's request. When the worker is gone, the answer is a 500 `device_lost`.
   *
   * @param url where it is served, if not at the request's own URL
   * @throws the signal's reason when it is aborted before the answer begins
   */
  fetch(request: Request, url?: string): Promise<Response>;
  stats(): Promise<Stats>;
  /** Frees the model and its GPU memory; what runs fails. */
  dispose(): void;
}

/** The part of `Worker` that is needed, so that a port can stand in. */
export type WorkerLike = comlink.Endpoint & { terminate(): void };

/**
 * Loads a model in a worker that offers a `Host`.
 *
 * @param signal stops loading
 * @throws the signal's reason, or what loading failed with; the worker is terminated then
 */
export async function loadInWorker(
  worker: WorkerLike,
  source: string,
  options: ServeOptions,
  onProgress: OnProgress = () => {},
  signal?: AbortSignal,
): Promise<Client> {
  const remote = comlink.wrap<Host>(worker);
  const lost = new AbortController();
  const fail = (event: Event): void => {
    // The browser would report the error a second time.
    event.preventDefault();
    const { message } = event as ErrorEvent;
    lost.abort(new Error(`the worker failed: ${message || "its script did not start"}`));
    worker.terminate();
  };
  worker.addEventListener("error", fail as EventListener);
  worker.addEventListener("messageerror", fail as EventListener);

  let id: string;
  try {
    signal?.throwIfAborted();
    const loading = remote.load(source, options, comlink.proxy(reporting(onProgress)));
    id = await untilAborted(loading, signal ? AbortSignal.any([signal, lost.signal]) : lost.signal);
  } catch (error) {
    worker.terminate();
    throw error;
  }

  let calls = 0;
  return {
    id,

    async fetch(request, url = request.url) {
      const { signal } = request;
      const message = await requestMessage(request, url);
      signal.throwIfAborted();
      if (lost.signal.aborted) return lostResponse(lost.signal.reason);

      const call = calls++;
      const end = (): void => void remote.end(call);
      const stop = AbortSignal.any([signal, lost.signal]);
      try {
        const answer = remote.fetch(call, comlink.transfer(message, transferList(message)));
        const { status, headers, body } = await untilAborted(answer, stop);
        const init = { status, headers: headers as [string, string][] };
        if (!body) {
          end();
          return new Response(null, init);
        }
        return new Response(endable(receiveStream(body), stop, end), init);
      } catch (error) {
        end();
        if (lost.signal.aborted && !signal.aborted) return lostResponse(lost.signal.reason);
        throw error;
      }
    },

    async stats() {
      lost.signal.throwIfAborted();
      return untilAborted(remote.stats(), lost.signal);
    },

    dispose() {
      lost.abort(new Error("the model was disposed"));
      // Terminating alone would leave the GPU memory to the garbage collector.
      const terminate = (): void => worker.terminate();
      remote.dispose().then(terminate, terminate);
    },
  };
}

/**
 * A body that fails at once when the signal aborts, even while nobody reads it, which piping with a
 * signal would wait for. `end` is called when it is over: read, failed, cancelled or aborted.
 */
function endable(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
  end: () => void,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  const over = (): void => {
    signal.removeEventListener("abort", abort);
    end();
  };
  let abort: () => void;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        abort = () => {
          controller.error(signal.reason);
          over();
          reader.cancel(signal.reason).catch(() => {});
        };
        if (signal.aborted) abort();
        else signal.addEventListener("abort", abort);
      },
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (!done) return controller.enqueue(value);
          controller.close();
        } catch (error) {
          controller.error(error);
        }
        over();
      },
      cancel(reason) {
        over();
        return reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}

/** Settles as `promise` does, or rejects with the signal's reason once it is aborted. */
function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

async function requestMessage(request: Request, url: string): Promise<RequestMessage> {
  const { method, headers } = request;
  const body = method === "GET" || method === "HEAD" ? null : await request.arrayBuffer();
  return { method, url, headers: [...headers], body };
}

function transferList({ body }: RequestMessage): Transferable[] {
  return body ? [body] : [];
}

/** What the caller's progress function throws is the page's error, not the worker's. */
function reporting(onProgress: OnProgress): OnProgress {
  return (progress) => {
    try {
      onProgress(progress);
    } catch (error) {
      reportError(error);
    }
  };
}

function lostResponse({ message }: Error): Response {
  return new OpenAIError(500, message, { code: "device_lost" }).toResponse();
}
