import { createParser } from "eventsource-parser";

/**
 * Reads the `data` of each server-sent event in a body. Leaving the loop cancels the body.
 *
 * @throws what reading the body throws
 */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const events: string[] = [];
  const parser = createParser({ onEvent: ({ data }) => events.push(data) });
  const decoder = new TextDecoder();
  // Piping through streams would read ahead; an answer is computed only as far as it is read.
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      parser.feed(decoder.decode(value, { stream: true }));
      yield* events.splice(0);
    }
  } finally {
    await reader.cancel().catch(() => {}); // A closed or failed body needs no cancelling.
  }
}
