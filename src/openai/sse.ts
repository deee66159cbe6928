import { toOpenAIError } from "./errors.ts";

/** Headers of an event stream. */
export const EVENT_STREAM = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache",
};

/**
 * Server-sent events of a stream of objects: one `data:` line each as they are asked for, then
 * `data: [DONE]`. A failure becomes a last event `{"error": ...}`, except an abort, which fails
 * the stream as a broken connection would.
 *
 * @param signal fails the stream with its reason
 * @param cancel stops the events: the reader lost interest, or the signal aborted
 * @param nameOf what the `event:` line of an event says; then the last event is the end, without
 * `[DONE]`
 */
export function eventStream<Event>(
  events: AsyncIterator<Event>,
  signal: AbortSignal,
  cancel: () => Promise<void>,
  nameOf?: (event: Event) => string,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const utf8 = new TextEncoder();
  return new ReadableStream({
    start(controller) {
      // At once, even while nobody reads, as with a fetch's body.
      const abort = () => {
        controller.error(signal.reason);
        cancel().catch(() => {}); // there is nobody left to tell
      };
      if (signal.aborted) abort();
      else signal.addEventListener("abort", abort, { once: true });
    },
    async pull(controller) {
      const send = (data: string, name = "") =>
        controller.enqueue(utf8.encode(`${name}data: ${data}\n\n`));
      try {
        const { done, value } = await events.next();
        if (!done) return send(JSON.stringify(value), nameOf && `event: ${nameOf(value)}\n`);
        if (!nameOf) send("[DONE]");
      } catch (error) {
        if (signal.aborted) return;
        send(JSON.stringify(toOpenAIError(error).body));
      }
      controller.close();
    },
    cancel,
  });
}
