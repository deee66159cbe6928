import { toOpenAIError } from "./errors.ts";

/** Headers of an event stream. */
export const EVENT_STREAM = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache",
};

/** How long a stream stays silent at most, in ms. Proxies close connections that are silent for long. */
const SILENCE_MS = 5000;

/** An event stream's comment, which clients skip. */
const COMMENT = ": keep-alive\n\n";

/**
 * Writes objects as server-sent events: one `data:` line each, then `data: [DONE]`. Events are
 * written as they arrive, even if nobody reads them: a slow reader must not delay other requests. While
 * there are none, comments are. A failure becomes a last event `{"error": ...}`. An abort instead fails
 * the stream, as a broken connection would.
 *
 * @param signal fails the stream with its reason
 * @param cancel stops the events, when the reader cancels the stream or the signal aborts
 * @param nameOf the `event:` line of an event. A stream of named events has no `[DONE]`, and its
 *   failure is an event `error`.
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

  async function writeAll(controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>) {
    const write = (text: string) => {
      if (isOpen) controller.enqueue(utf8.encode(text));
    };
    const send = (data: string, name = "") => write(`${name}data: ${data}\n\n`);
    const comment = () => write(COMMENT);
    let silence = setInterval(comment, SILENCE_MS);
    // Servers send the headers with the first bytes of a body.
    const opening = setTimeout(comment);
    try {
      while (isOpen) {
        const { done, value } = await events.next();
        clearTimeout(opening);
        clearInterval(silence);
        if (done) break;
        send(JSON.stringify(value), nameOf && `event: ${nameOf(value)}\n`);
        silence = setInterval(comment, SILENCE_MS);
      }
      if (!nameOf) send("[DONE]");
    } catch (cause) {
      const { error } = toOpenAIError(cause).body;
      const { code, message, param } = error;
      const named = { type: "error", code, message, param, error };
      if (nameOf) send(JSON.stringify(named), "event: error\n");
      else send(JSON.stringify({ error }));
    } finally {
      clearTimeout(opening);
      clearInterval(silence);
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
      void writeAll(controller);
    },
    cancel: stop,
  });
}
