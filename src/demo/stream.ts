import { EventSourceParserStream } from "eventsource-parser/stream";
import type { ChatCompletionChunk, ErrorBody } from "../index.ts";

/**
 * Reads the chunks of a streamed answer until `data: [DONE]`.
 *
 * @param body server-sent events; cancelled when the caller leaves the loop
 * @throws Error with the server's message for an error event, or when the stream ends before `[DONE]`
 */
export async function* readChunks(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<ChatCompletionChunk> {
  const reader = body
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream())
    .getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) throw new Error("The answer broke off: the stream ended before [DONE].");
      if (value.data === "[DONE]") return;
      const chunk = JSON.parse(value.data) as ChatCompletionChunk | ErrorBody;
      if ("error" in chunk) throw new Error(chunk.error.message);
      yield chunk;
    }
  } finally {
    await reader.cancel().catch(() => {}); // A closed or failed body needs no cancelling.
  }
}
