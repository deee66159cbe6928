import * as comlink from "comlink";
import type { FetchHandler } from "../openai/handler.ts";
import { untilAborted } from "../platform/until-aborted.ts";
import type { FetchService, PostedRequest } from "./protocol.ts";
import { receiveStream } from "./stream.ts";

/**
 * A `fetch` that another thread answers. Aborting a request's signal, or cancelling the body of its
 * answer, aborts the request there.
 *
 * @param lost aborts when the other thread is gone; running requests then fail with its reason
 */
export function remoteFetch(
  service: comlink.Remote<FetchService>,
  lost: AbortSignal,
): FetchHandler {
  let calls = 0;
  return async (request, url = request.url) => {
    const { signal } = request;
    const message = await postedRequest(request, url);
    signal.throwIfAborted();
    lost.throwIfAborted();

    const call = calls++;
    const end = (): void => void service.end(call);
    const stop = AbortSignal.any([signal, lost]);
    try {
      const answer = service.fetch(call, comlink.transfer(message, transferList(message)));
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
 * A body that fails as soon as the signal aborts, even while nobody reads it. (`pipeThrough` with a
 * signal would wait for a read.) `end` is called when the body is read, failed, cancelled or aborted.
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

async function postedRequest(request: Request, url: string): Promise<PostedRequest> {
  const { method, headers } = request;
  const body = method === "GET" || method === "HEAD" ? null : await request.arrayBuffer();
  return { method, url, headers: [...headers], body };
}

function transferList({ body }: PostedRequest): Transferable[] {
  return body ? [body] : [];
}
