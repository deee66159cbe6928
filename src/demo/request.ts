import type { DraftPart } from "./draft.ts";
import type { Settings } from "./settings.ts";

export interface SentMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string | readonly ContentPart[];
}

type ContentPart =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "image_url"; readonly image_url: { readonly url: string } };

/** @returns a user message for the request; its content is a string if it is text only */
export function userMessage(parts: readonly DraftPart[]): SentMessage {
  const [first] = parts;
  if (parts.length === 1 && first?.type === "text") return { role: "user", content: first.text };
  return {
    role: "user",
    content: parts.map((part) =>
      part.type === "text" ? part : { type: "image_url", image_url: { url: part.image.url } },
    ),
  };
}

/** @returns the body of a streamed `POST /v1/chat/completions`, with usage in the last chunk */
export function requestBody(model: string, messages: readonly SentMessage[], settings: Settings) {
  const prompt = settings.systemPrompt.trim();
  const system: SentMessage[] = prompt ? [{ role: "system", content: prompt }] : [];
  return {
    model,
    messages: [...system, ...messages],
    max_tokens: settings.maxTokens,
    temperature: settings.temperature,
    stream: true,
    stream_options: { include_usage: true, include_progress: true },
  };
}

/** @returns the error message of a failed response */
export async function errorOf(response: Response): Promise<Error> {
  const body = await response.text();
  try {
    const { error } = JSON.parse(body) as { error: { message: string } };
    return new Error(error.message);
  } catch {
    return new Error(`The request failed: HTTP ${response.status} ${response.statusText}`.trim());
  }
}
