import type { ChatMessage, ContentPart } from "../chat/messages.ts";
import type { ToolCall } from "../chat/tools.ts";
import { FIELD_PATHS, type PathOf } from "./error-paths.ts";
import { requestedTextFormat } from "./response-format.ts";
import type { CheckedRequest } from "./responses-request.ts";
import type { InputPart, Item, OutputMessage } from "./responses-wire.ts";
import { isObjectJson } from "./tools.ts";
import type { FormatFields } from "./wire.ts";

/** A message, and where its content is in the request, for errors. */
export interface LocatedMessage extends ChatMessage {
  /** The path of a content with parts, such as `input[0].content`; undefined for stored items. */
  readonly contentPath?: string;
}

/**
 * The conversation in the shape of the chat layer. Reasoning, text and calls of one answer become one
 * message. A call that the length limit cut is left out.
 *
 * @param previous the items before the input
 */
export function responseMessages(
  instructions: string | null | undefined,
  previous: readonly Item[],
  input: readonly Item[],
): LocatedMessage[] {
  const messages: LocatedMessage[] = [];
  if (instructions) messages.push({ role: "system", content: instructions });
  for (const item of previous) add(messages, item);
  for (const [i, item] of input.entries()) add(messages, item, `input[${i}]`);
  return messages;
}

function add(messages: LocatedMessage[], item: Item, path?: string): void {
  switch (item.type) {
    case "reasoning": {
      const texts = item.content.length > 0 ? item.content : item.summary;
      const reasoning = texts.map(({ text }) => text).join("\n\n");
      if (reasoning) messages.push({ role: "assistant", content: "", reasoning });
      return;
    }
    case "function_call": {
      if (item.status === "incomplete") return;
      // Streamed arguments may have turned out to be malformed, and templates can't write these.
      const json = isObjectJson(item.arguments) ? item.arguments : "{}";
      const call: ToolCall = { id: item.call_id, name: item.name, arguments: json };
      const last = messages.at(-1);
      if (last?.role !== "assistant") {
        messages.push({ role: "assistant", content: "", toolCalls: [call] });
      } else {
        messages.splice(-1, 1, { ...last, toolCalls: [...(last.toolCalls ?? []), call] });
      }
      return;
    }
    case "function_call_output": {
      const content =
        typeof item.output === "string" ? item.output : plain(item.output.map(partOf));
      const contentPath = path && `${path}.output`;
      messages.push({ role: "tool", toolCallId: item.call_id, content, contentPath });
      return;
    }
    case "message": {
      if (item.role !== "assistant") {
        const content = plain(item.content.map(partOf));
        messages.push({ role: item.role, content, contentPath: path && `${path}.content` });
        return;
      }
      const content = plain(item.content.map(textOf));
      const answer = { role: item.role, content };
      const last = messages.at(-1);
      const isReasoning = last?.reasoning && last.content === "" && !last.toolCalls;
      if (isReasoning) messages.splice(-1, 1, { ...last, ...answer });
      else messages.push(answer);
    }
  }
}

/** A content of a single text becomes a string, which all templates support. */
function plain(parts: readonly ContentPart[]): ChatMessage["content"] {
  const [first] = parts;
  return parts.length === 1 && first?.type === "text" ? first.text : parts;
}

function partOf(part: InputPart): ContentPart {
  if (part.type === "input_text") return { type: "text", text: part.text };
  const { image_url: url, detail } = part;
  // Processors have no detail above "high".
  return { type: "image_url", image_url: { url, detail: detail === "original" ? "high" : detail } };
}

function textOf(part: OutputMessage["content"][number]): ContentPart {
  return { type: "text", text: part.type === "refusal" ? part.refusal : part.text };
}

/**
 * Names what an error is about in a request for a response.
 *
 * @param messages the conversation that was asked about
 */
export function responsePaths(
  body: Pick<CheckedRequest, "text"> & Omit<FormatFields, "response_format">,
  messages: readonly LocatedMessage[],
): PathOf {
  return (subject) => {
    if (typeof subject === "object") {
      const path = messages[subject.message]?.contentPath;
      return path ? `${path}[${subject.part}].image_url` : "previous_response_id";
    }
    if (subject === "messages") return "input";
    return (subject === "format" && requestedTextFormat(body)?.path) || FIELD_PATHS[subject];
  };
}
