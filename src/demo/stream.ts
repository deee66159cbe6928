import { readEvents } from "../net/event-stream.ts";

/** What the page reads of a `chat.completion.chunk`. */
export interface Chunk {
  readonly choices: readonly {
    readonly delta: { readonly content?: string | null };
    readonly finish_reason?: string | null;
  }[];
  readonly usage?: Usage | null;
}

export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly prompt_tokens_details?: { readonly cached_tokens?: number } | null;
}

/**
 * The chunks of a streamed answer, until `data: [DONE]`.
 *
 * @param body server-sent events; cancelled when the caller stops early
 * @throws Error with the server's message for an error event, or when the stream ends before `[DONE]`
 */
export async function* readChunks(body: ReadableStream<Uint8Array>): AsyncGenerator<Chunk> {
  for await (const data of readEvents(body)) {
    if (data === "[DONE]") return;
    const chunk = JSON.parse(data) as Chunk & { error?: { message: string } };
    if (chunk.error) throw new Error(chunk.error.message);
    yield chunk;
  }
  throw new Error("The answer broke off: the stream ended before [DONE].");
}
