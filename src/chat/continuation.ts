import type { ChatMessage, ContentPart } from "./messages.ts";
import { RequestError } from "./request-error.ts";

/**
 * Puts a mark at the end of the last message's text, as Transformers does for
 * `continue_final_message`. A space follows the mark: if the rendered text lacks it, the template
 * trims messages.
 *
 * @param end the mark: a character that no message contains
 * @throws RequestError when the last message is not from the assistant, calls tools, or has no text
 */
export function markEnd(messages: readonly ChatMessage[], end: string): ChatMessage[] {
  const last = messages.at(-1);
  if (last?.role !== "assistant") {
    throw refusal(`the last message to be from the assistant, but it is from the ${last?.role}`);
  }
  if (last.toolCalls && last.toolCalls.length > 0) {
    throw refusal("the last message to have no tool calls, but it has some");
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
 * Cuts a rendered conversation at the mark. If the template trims messages, spaces before the mark
 * are trimmed too.
 *
 * @throws RequestError when the template leaves out the last message
 */
export function cutAtEnd(rendered: string, end: string): string {
  const at = rendered.lastIndexOf(end);
  if (at < 0)
    throw refusal("the chat template to write the last message, but the template leaves it out");
  const kept = rendered.slice(0, at);
  return rendered[at + 1] === " " ? kept : kept.trimEnd();
}

function refusal(expected: string): RequestError {
  return new RequestError("invalid_value", "continueFinalMessage", `expected ${expected}.`);
}
