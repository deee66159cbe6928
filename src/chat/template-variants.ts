import type { ChatTemplate, TemplateMessage, TemplatePart } from "../text/template.ts";
import { HERMES } from "./json-calls.ts";
import { joinContent } from "./message-content.ts";
import type { ChatMessage } from "./messages.ts";
import type { ToolFormat } from "./tool-format.ts";
import { toolFormat } from "./tool-formats.ts";
import { templateTools, toolTurnsAsText, withTools, writtenCall } from "./tool-prompt.ts";
import type { Tool } from "./tools.ts";

/** A conversation in a form that a template may take. */
export interface TemplateVariant {
  readonly messages: readonly TemplateMessage[];
  /** For the template's variable of that name. */
  readonly tools: readonly object[];
  /** How calls are asked for, and past ones written. */
  readonly format: ToolFormat;
}

/**
 * The forms of a conversation, the likeliest first: a template writes most of it its own way. What it
 * does not write, or refuses, is put into other messages, first where it is known not to write that,
 * then step by step where it only turned out so.
 *
 * @param placeholder what stands for an image in a content that is a string
 */
export function* templateVariants(
  messages: readonly ChatMessage[],
  tools: readonly Tool[],
  template: ChatTemplate,
  placeholder: string,
): Generator<TemplateVariant, void, void> {
  const { writes, source } = template;
  const plans = [
    { ownWay: writes.tools, calls: !writes.toolCalls, results: !writes.toolResults },
    { ownWay: writes.tools, calls: true, results: true },
    { ownWay: false, calls: true, results: true },
  ];
  const seen = new Set<string>();
  for (const { ownWay, ...asText } of plans) {
    const format = ownWay ? toolFormat(source) : HERMES;
    const told = ownWay || tools.length === 0 ? messages : withTools(messages, tools);
    const turns = toolTurnsAsText(told, format, asText);
    const inUser = systemInUser(turns);
    for (const form of writes.system || writes.developer ? [turns, inUser] : [inUser]) {
      const rendition = {
        messages: forTemplate(form, template, placeholder),
        tools: ownWay ? templateTools(tools) : [],
        format,
      };
      const key = JSON.stringify(rendition);
      if (!seen.has(key)) yield rendition;
      seen.add(key);
    }
  }
}

/** The conversation with what systems say at the beginning of the user's message behind it. */
function systemInUser(messages: readonly ChatMessage[]): ChatMessage[] {
  const turns: ChatMessage[] = [];
  let said: ChatMessage["content"] | undefined;
  for (const message of messages) {
    const { role, content } = message;
    if (role === "system" || role === "developer") {
      said = said === undefined ? content : joinContent(said, "\n\n", content);
    } else if (role === "user" && said !== undefined) {
      turns.push({ ...message, content: joinContent(said, "\n\n", content) });
      said = undefined;
    } else {
      turns.push(message);
    }
  }
  return said === undefined ? turns : [...turns, { role: "user", content: said }];
}

/** The forms of role and content that the template knows. */
function forTemplate(
  messages: readonly ChatMessage[],
  template: ChatTemplate,
  placeholder: string,
): TemplateMessage[] {
  const called = new Map<string | undefined, string>();
  return messages.map((message) => {
    const { name, reasoning, toolCalls = [], toolCallId } = message;
    for (const call of toolCalls) called.set(call.id, call.name);
    const role = templateRole(message.role, template);
    const knownName = name ?? (role === "tool" ? called.get(toolCallId) : undefined);
    return {
      role,
      content: templateContent(message, template, placeholder),
      ...(knownName && { name: knownName }),
      ...(reasoning && { reasoning_content: reasoning }),
      ...(toolCalls.length > 0 && {
        tool_calls: toolCalls.map((call) => ({
          id: call.id,
          type: "function" as const,
          function: writtenCall(call),
        })),
      }),
      ...(toolCallId && { tool_call_id: toolCallId }),
    };
  });
}

function templateRole(role: ChatMessage["role"], { writes }: ChatTemplate): string {
  if (role === "developer" && !writes.developer) return "system";
  if (role === "system" && !writes.system && writes.developer) return "developer";
  return role === "function" ? "tool" : role;
}

function templateContent(
  { role, content }: ChatMessage,
  template: ChatTemplate,
  placeholder: string,
): TemplateMessage["content"] {
  const { string, list } = template.content;
  if (typeof content === "string") {
    return string || !list ? content : [{ type: "text", text: content }];
  }
  const parts = content.map((part): TemplatePart =>
    part.type === "text" ? part : { type: "image" },
  );
  // Templates that write lists may dump those of tools, whose results mostly are strings.
  const isResult = role === "tool" || role === "function";
  const isString = string && isResult && parts.every(({ type }) => type === "text");
  if ((list || !string) && !isString) return parts;
  const texts = parts.map((part) => (part.type === "text" ? part.text : placeholder));
  return texts.join("\n");
}
