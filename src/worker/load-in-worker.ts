import * as comlink from "comlink";
import { loadShaders } from "../gpu/shaders/load-shaders.ts";
import type { CompileGrammar } from "../grammar/grammar.ts";
import { OpenAIError } from "../openai/errors.ts";
import { withRequestId } from "../openai/request-id.ts";
import { reviveDeviceError } from "../platform/device-error.ts";
import { untilAborted } from "../platform/until-aborted.ts";
import type { LoadedModel } from "../runtime/loaded-model.ts";
import type { SourceOptions } from "../runtime/options.ts";
import type { LocalFolder } from "../weights/blob-files.ts";
import type { OnProgress } from "../weights/progress.ts";
import type { WorkerService } from "./protocol.ts";
import { remoteFetch } from "./remote-fetch.ts";

/** The part of `Worker` that is used. A test passes a message port instead. */
export type WorkerLike = comlink.Endpoint & { terminate(): void };

/**
 * Loads a model in a worker whose script calls `exposeModel`. Once the worker has failed or the model
 * is disposed, every request is answered by a 500 `device_lost`.
 *
 * @param signal stops loading
 * @throws the signal's reason, or the error that loading failed with; a DeviceError keeps its class.
 *   The worker is terminated in both cases.
 */
export async function loadInWorker(
  worker: WorkerLike,
  source: string | LocalFolder,
  options: SourceOptions,
  onProgress: OnProgress = () => {},
  signal?: AbortSignal,
): Promise<LoadedModel> {
  const { service, lost, fail } = connect(worker);
  let hashes: Worker | undefined;
  const connectHashes = async (): Promise<MessagePort> => {
    const { default: HashWorker } = await import("./hash-worker.ts?worker&inline");
    hashes = new HashWorker();
    hashes.addEventListener("error", fail);
    const port = await comlink.wrap(hashes)[comlink.createEndpoint]();
    return comlink.transfer(port, [port]);
  };
  let id: string;
  try {
    signal?.throwIfAborted();
    const loading = service.load(
      source,
      options,
      comlink.proxy(loadShaders),
      comlink.proxy(compileGrammar),
      comlink.proxy(reportErrors(onProgress)),
      comlink.proxy(connectHashes),
    );
    id = await untilAborted(loading, signal ? AbortSignal.any([signal, lost.signal]) : lost.signal);
  } catch (error) {
    worker.terminate();
    hashes?.terminate();
    throw reviveDeviceError(error);
  }

  const fetch = remoteFetch(service, lost.signal);
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
      return untilAborted(service.stats(), lost.signal);
    },

    async unload() {
      lost.signal.throwIfAborted();
      return untilAborted(service.unload(), lost.signal);
    },

    dispose() {
      hashes?.terminate();
      lost.abort(new Error("the model was disposed"));
      // Terminating alone would leave the GPU memory to the garbage collector.
      const terminate = (): void => worker.terminate();
      service.dispose().then(terminate, terminate);
    },
  };
}

/**
 * Makes one request of a worker's service, and terminates the worker.
 *
 * @throws the signal's reason, or the error of `use`; a DeviceError keeps its class
 */
export async function withWorker<T>(
  worker: WorkerLike,
  use: (service: comlink.Remote<WorkerService>) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const { service, lost } = connect(worker);
  try {
    signal?.throwIfAborted();
    const stop = signal ? AbortSignal.any([signal, lost.signal]) : lost.signal;
    return await untilAborted(use(service), stop);
  } catch (error) {
    throw reviveDeviceError(error);
  } finally {
    worker.terminate();
  }
}

/**
 * @returns the worker's service, a controller that aborts when the worker fails, and a listener to the
 *   errors of others that are as bad
 */
function connect(worker: WorkerLike): {
  service: comlink.Remote<WorkerService>;
  lost: AbortController;
  fail: (event: Event) => void;
} {
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
  return { service: comlink.wrap<WorkerService>(worker), lost, fail };
}

/**
 * Compiles a grammar in the page. The compiler is a file of its own, loaded with the first request
 * that needs it: an inlined worker can't import a file, and every bundler lets a page do so.
 */
const compileGrammar: CompileGrammar = async (source) => {
  const { compileGrammar } = await import("../grammar/compile-grammar.ts");
  return compileGrammar(source);
};

/** An error of the caller's progress function is the page's, not the worker's. */
function reportErrors(onProgress: OnProgress): OnProgress {
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
