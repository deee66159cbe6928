import { toOpenAIError } from "./errors.ts";

/** Headers of an event stream. */
export const EVENT_STREAM = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache",
};

/**
 * Writes objects as server-sent events: one `data:` line each, then `data: [DONE]`. Events are
 * written as they arrive, even if nobody reads them: a slow reader must not delay other requests. A
 * failure becomes a last event `{"error": ...}`. An abort instead fails the stream, as a broken
 * connection would.
 *
 * @param signal fails the stream with its reason
 * @param cancel stops the events, when the reader cancels the stream or the signal aborts
 * @param nameOf the `event:` line of an event. A stream of named events has no `[DONE]`.
 */
export function eventStream<Event>(
  events: AsyncIterator<Event>,
  signal: AbortSignal,
  cancel: () => Promise<void>,
  nameOf?: (event: Event) => string,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const utf8 = new TextEncoder();
  let isOpen = true;
  const stop = () => {
    isOpen = false;
    return cancel();
  };

  async function write(controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>) {
    const send = (data: string, name = "") => {
      if (isOpen) controller.enqueue(utf8.encode(`${name}data: ${data}\n\n`));
    };
    try {
      while (isOpen) {
        const { done, value } = await events.next();
        if (done) break;
        send(JSON.stringify(value), nameOf && `event: ${nameOf(value)}\n`);
      }
      if (!nameOf) send("[DONE]");
    } catch (error) {
      send(JSON.stringify(toOpenAIError(error).body));
    }
    if (isOpen) controller.close();
  }

  return new ReadableStream({
    start(controller) {
      const abort = () => {
        controller.error(signal.reason);
        stop().catch(() => {}); // nobody is left to report it to
      };
      if (signal.aborted) return abort();
      signal.addEventListener("abort", abort, { once: true });
      void write(controller);
    },
    cancel: stop,
  });
}
