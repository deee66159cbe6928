import type { TemplateMessage, TemplatePart } from "../text/template-message.ts";
import type { ChatTemplate } from "../text/template.ts";
import { HERMES } from "./json-calls.ts";
import { joinContent } from "./message-content.ts";
import type { ChatMessage } from "./messages.ts";
import type { ToolFormat } from "./tool-format.ts";
import { toolFormat } from "./tool-formats.ts";
import { templateTools, toolTurnsAsText, withTools, writtenCall } from "./tool-prompt.ts";
import type { Tool } from "./tools.ts";

/** A conversation in a form that a template may accept. */
export interface TemplateVariant {
  readonly messages: readonly TemplateMessage[];
  /** The value of the template's variable `tools`. */
  readonly tools: readonly object[];
  /** The format of tool calls, both past and future. */
  readonly format: ToolFormat;
}

/**
 * The forms of a conversation, best first. In the first form, the template writes everything that it
 * supports. The rest (tools, calls, results, system messages) becomes text of other messages. Later
 * forms leave less to the template, in case it supports less than its probes showed.
 *
 * @param placeholder the text for an image in a content that is a string
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
    const instructed = ownWay || tools.length === 0 ? messages : withTools(messages, tools);
    const turns = toolTurnsAsText(instructed, format, asText);
    const inUser = systemInUser(turns);
    for (const form of writes.system || writes.developer ? [turns, inUser] : [inUser]) {
      const variant = {
        messages: forTemplate(form, template, placeholder),
        tools: ownWay ? templateTools(tools) : [],
        format,
      };
      const key = JSON.stringify(variant);
      if (!seen.has(key)) yield variant;
      seen.add(key);
    }
  }
}

/** Moves system messages into the user's message after them. */
function systemInUser(messages: readonly ChatMessage[]): ChatMessage[] {
  const turns: ChatMessage[] = [];
  let system: ChatMessage["content"] | undefined;
  for (const message of messages) {
    const { role, content } = message;
    if (role === "system" || role === "developer") {
      system = system === undefined ? content : joinContent(system, "\n\n", content);
    } else if (role === "user" && system !== undefined) {
      turns.push({ ...message, content: joinContent(system, "\n\n", content) });
      system = undefined;
    } else {
      turns.push(message);
    }
  }
  return system === undefined ? turns : [...turns, { role: "user", content: system }];
}

/** The messages with the roles and contents that the template supports. */
function forTemplate(
  messages: readonly ChatMessage[],
  template: ChatTemplate,
  placeholder: string,
): TemplateMessage[] {
  const callNames = new Map<string | undefined, string>();
  return messages.map((message) => {
    const { name, reasoning, toolCalls = [], toolCallId } = message;
    for (const call of toolCalls) callNames.set(call.id, call.name);
    const role = templateRole(message.role, template);
    const knownName = name ?? (role === "tool" ? callNames.get(toolCallId) : undefined);
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
  // Templates that accept lists may print those of tool results as they are: these are strings.
  const isResult = role === "tool" || role === "function";
  const isString = string && isResult && parts.every(({ type }) => type === "text");
  if ((list || !string) && !isString) return parts;
  const texts = parts.map((part) => (part.type === "text" ? part.text : placeholder));
  return texts.join("\n");
}
