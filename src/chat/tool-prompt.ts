import { encloseContent, joinContent } from "./message-content.ts";
import type { ChatMessage } from "./messages.ts";
import { spacedJson } from "./spaced-json.ts";
import type { ToolFormat, WrittenCall } from "./tool-format.ts";
import type { Tool, ToolCall } from "./tools.ts";

/** Tools in the shape that chat templates read. */
export function templateTools(tools: readonly Tool[]): object[] {
  return tools.map(({ type, function: { name, description, parameters } }) => ({
    type,
    function: {
      name,
      ...(description !== undefined && { description }),
      parameters: parameters ?? { type: "object", properties: {} },
    },
  }));
}

/**
 * Adds the tools, and how to call them, to the system message, in the words of Hermes. This is for
 * templates that do not write tools.
 */
export function withTools(messages: readonly ChatMessage[], tools: readonly Tool[]): ChatMessage[] {
  const instructions = [
    "# Tools",
    "",
    "You may call one or more functions to assist with the user query.",
    "",
    "You are provided with function signatures within <tools></tools> XML tags:",
    "<tools>",
    ...templateTools(tools).map(spacedJson),
    "</tools>",
    "",
    "For each function call, return a json object with function name and arguments within " +
      "<tool_call></tool_call> XML tags:",
    "<tool_call>",
    '{"name": <function-name>, "arguments": <args-json-object>}',
    "</tool_call>",
  ].join("\n");
  const [first, ...others] = messages;
  if (first?.role !== "system" && first?.role !== "developer") {
    return [{ role: "system", content: instructions }, ...messages];
  }
  return [{ ...first, content: joinContent(first.content, "\n\n", instructions) }, ...others];
}

/** Which messages about tools become text. */
export interface AsText {
  readonly calls: boolean;
  readonly results: boolean;
}

/**
 * Writes past calls as the model would have written them, and results as messages from the user.
 * This is for templates that do not write calls or results.
 */
export function toolTurnsAsText(
  messages: readonly ChatMessage[],
  format: ToolFormat,
  asText: AsText,
): ChatMessage[] {
  const turns: ChatMessage[] = [];
  let results: ChatMessage["content"] | undefined; // of the preceding messages
  for (const message of messages) {
    const { role, content, toolCalls = [] } = message;
    if (asText.results && (role === "tool" || role === "function")) {
      const result = encloseContent("<tool_response>\n", content, "\n</tool_response>");
      results = results === undefined ? result : joinContent(results, "\n", result);
      continue;
    }
    // Templates may require messages from the user and the assistant to alternate.
    const isJoined = results !== undefined && role === "user";
    if (results !== undefined && isJoined) {
      turns.push({ ...message, content: joinContent(results, "\n", content) });
    } else {
      if (results !== undefined) turns.push({ role: "user", content: results });
      const isText = asText.calls && toolCalls.length > 0;
      turns.push(isText ? withCallsAsText(message, toolCalls, format) : message);
    }
    results = undefined;
  }
  if (results !== undefined) turns.push({ role: "user", content: results });
  return turns;
}

function withCallsAsText(
  { role, content, reasoning }: ChatMessage,
  calls: readonly ToolCall[],
  format: ToolFormat,
): ChatMessage {
  const text = format.write(calls.map(writtenCall));
  const isEmpty = content.length === 0;
  return { role, content: isEmpty ? text : joinContent(content, "\n", text), reasoning };
}

export function writtenCall({ name, arguments: json }: ToolCall): WrittenCall {
  return { name, arguments: JSON.parse(json) as Record<string, unknown> };
}
