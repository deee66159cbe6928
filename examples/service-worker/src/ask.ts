import { EventSourceParserStream } from "eventsource-parser/stream";
import type { ChatCompletionChunk, ErrorBody } from "webvlm";

/** Asks the model with plain `fetch`, as any server. Yields the answer's text, piece by piece. */
export async function* ask(
  image: string,
  question: string,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const content = [
    { type: "image_url", image_url: { url: image } },
    { type: "text", text: question },
  ];
  const response = await fetch("/v1/chat/completions", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ messages: [{ role: "user", content }], stream: true }),
    signal,
  });
  if (!response.ok) throw new Error(((await response.json()) as ErrorBody).error.message);

  const events = response
    .body!.pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream())
    .getReader();
  for (;;) {
    const { done, value } = await events.read();
    if (done || value.data === "[DONE]") return;
    const chunk = JSON.parse(value.data) as ChatCompletionChunk | ErrorBody;
    if ("error" in chunk) throw new Error(chunk.error.message);
    yield chunk.choices[0]?.delta.content ?? "";
  }
}
