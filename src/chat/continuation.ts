import type { ChatMessage, ContentPart } from "./messages.ts";
import { RequestError } from "./request-error.ts";

/**
 * Marks where the text of the last message ends, as Transformers does for
 * `continue_final_message`: the space behind the mark tells whether the template trims.
 *
 * @param end a character that no message contains
 * @throws RequestError when the last message is not the assistant's, calls tools, or has no
 * text
 */
export function markEnd(messages: readonly ChatMessage[], end: string): ChatMessage[] {
  const last = messages.at(-1);
  if (last?.role !== "assistant") {
    throw refusal(`the last message to be the assistant's, but it is the ${last?.role}'s`);
  }
  if (last.toolCalls && last.toolCalls.length > 0) {
    throw refusal("the last message to be text, but it calls tools");
  }
  const marked = { ...last, content: markContent(last.content, `${end} `) };
  return [...messages.slice(0, -1), marked];
}

function markContent(content: ChatMessage["content"], mark: string): ChatMessage["content"] {
  if (typeof content === "string") return content + mark;
  const at = content.findLastIndex(({ type }) => type === "text");
  if (at < 0) throw refusal("the last message to have text, but it has none");
  return content.map((part, i): ContentPart =>
    part.type === "text" && i === at ? { ...part, text: part.text + mark } : part,
  );
}

/**
 * Cuts a rendered conversation at the mark. Where the template trims the message, what the message
 * ends with is trimmed too.
 *
 * @throws RequestError when the template leaves the last message out
 */
export function cutAtEnd(rendered: string, end: string): string {
  const at = rendered.lastIndexOf(end);
  if (at < 0) throw refusal("the chat template to write the last message, but it left it out");
  const kept = rendered.slice(0, at);
  return rendered[at + 1] === " " ? kept : kept.trimEnd();
}

function refusal(expected: string): RequestError {
  return new RequestError("invalid_value", "continueFinalMessage", `expected ${expected}.`);
}
