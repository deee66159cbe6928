import type { ChatCompletionChunk, ErrorBody } from "webvlm";

/** Asks as any server would be asked; yields the answer's text, piece by piece. */
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

  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop()!;
    for (const event of events) {
      const data = event.slice("data: ".length);
      if (data === "[DONE]") return;
      const chunk = JSON.parse(data) as ChatCompletionChunk | ErrorBody;
      if ("error" in chunk) throw new Error(chunk.error.message);
      yield chunk.choices[0]?.delta.content ?? "";
    }
  }
}
