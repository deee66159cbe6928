import * as comlink from "comlink";
import { OpenAIError } from "../openai/errors.ts";
import { withRequestId } from "../openai/request-id.ts";
import type { OnProgress } from "../weights/progress.ts";
import type { Host, ServeOptions, Stats } from "./api.ts";
import { remoteFetch, untilAborted } from "./remote-fetch.ts";

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

  const fetch = remoteFetch(remote, lost.signal);
  return {
    id,

    async fetch(request, url) {
      try {
        return await fetch(request, url);
      } catch (error) {
        request.signal.throwIfAborted();
        if (lost.signal.aborted) return withRequestId(lostResponse(lost.signal.reason), request);
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
