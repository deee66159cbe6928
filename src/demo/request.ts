import type { Part } from "./draft.ts";
import type { Settings } from "./settings.ts";

export interface Message {
  readonly role: "system" | "user" | "assistant";
  readonly content: string | readonly ContentPart[];
}

type ContentPart =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "image_url"; readonly image_url: { readonly url: string } };

/** A user's message on the wire: plain text when there is nothing else. */
export function userMessage(parts: readonly Part[]): Message {
  const [first] = parts;
  if (parts.length === 1 && first?.type === "text") return { role: "user", content: first.text };
  return {
    role: "user",
    content: parts.map((part) =>
      part.type === "text" ? part : { type: "image_url", image_url: { url: part.image.url } },
    ),
  };
}

/** The body of `POST /v1/chat/completions`, streamed, with usage at the end. */
export function requestBody(model: string, messages: readonly Message[], settings: Settings) {
  const prompt = settings.systemPrompt.trim();
  const system: Message[] = prompt ? [{ role: "system", content: prompt }] : [];
  return {
    model,
    messages: [...system, ...messages],
    max_tokens: settings.maxTokens,
    temperature: settings.temperature,
    stream: true,
    stream_options: { include_usage: true },
  };
}

/** The server's own words for a failure. */
export async function errorOf(response: Response): Promise<Error> {
  const body = await response.text();
  try {
    const { error } = JSON.parse(body) as { error: { message: string } };
    return new Error(error.message);
  } catch {
    return new Error(`The request failed: HTTP ${response.status} ${response.statusText}`.trim());
  }
}
