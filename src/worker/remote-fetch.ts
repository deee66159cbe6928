import * as comlink from "comlink";
import type { FetchHost, RequestMessage } from "./api.ts";
import { receiveStream } from "./stream.ts";

/**
 * Sends requests to the far side of a border. The request's signal, and cancelling the answer's
 * body, abort the far side's request.
 *
 * @param lost aborted when the far side is gone: what runs fails with its reason
 */
export function remoteFetch(
  remote: comlink.Remote<FetchHost>,
  lost: AbortSignal,
): (request: Request, url?: string) => Promise<Response> {
  let calls = 0;
  return async (request, url = request.url) => {
    const { signal } = request;
    const message = await requestMessage(request, url);
    signal.throwIfAborted();
    lost.throwIfAborted();

    const call = calls++;
    const end = (): void => void remote.end(call);
    const stop = AbortSignal.any([signal, lost]);
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
      throw error;
    }
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
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
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
