import type { AnswerFormat, JsonSchema, TagFormat } from "./format.ts";
import type { ForcedCalls } from "./tool-format.ts";
import type { Tool, ChatToolChoice } from "./tools.ts";

/** What the tool calls of an answer must be. */
export interface ToolCallRules {
  readonly tools: readonly Tool[];
  readonly choice: ChatToolChoice;
  /** Whether only one call is allowed. */
  readonly isSingle: boolean;
  readonly forced: ForcedCalls;
  /** The format of an answer that has no calls. */
  readonly content?: AnswerFormat;
}

/**
 * The format that enforces `tool_choice` and strict tools: the answer consists of calls if one is
 * required, and the arguments of strict tools match their schemas.
 *
 * @returns undefined if nothing has to be enforced
 */
export function toolCallFormat(rules: ToolCallRules): AnswerFormat | undefined {
  const { tools, choice, isSingle, forced, content } = rules;
  const isFree = choice === "auto";
  if (isFree && !content && !tools.some(isStrict)) return undefined;
  const tags = tools.map((tool) => ({
    type: "tag" as const,
    begin: forced.begin(tool.function.name),
    content: {
      type: "json_schema" as const,
      json_schema: isFree && !isStrict(tool) ? { type: "object" } : argumentsSchema(tool),
      strict: isStrict(tool),
    },
    end: forced.end,
  }));
  if (isFree && !content) {
    const { trigger } = forced;
    const format: TagFormat = {
      type: "triggered_tags",
      triggers: [trigger],
      tags,
      stop_after_first: isSingle,
    };
    return { type: "structural_tag", format, subject: "tools" };
  }
  const calls: TagFormat = {
    type: "tags_with_separator",
    tags,
    separator: forced.separator,
    at_least_one: true,
    stop_after_first: isSingle,
  };
  if (!isFree || !content) return { type: "structural_tag", format: calls, subject: "tools" };
  const format: TagFormat = { type: "or", elements: [tagFormat(content), calls] };
  return { type: "structural_tag", format, subject: content.subject };
}

function isStrict(tool: Tool): boolean {
  return tool.function.strict ?? false;
}

/** The schema of a tool's arguments, which must be an object. */
function argumentsSchema({ function: { parameters } }: Tool): JsonSchema {
  if (parameters === undefined) return { type: "object", additionalProperties: false };
  return typeof parameters === "object" ? { type: "object", ...parameters } : { type: "object" };
}

function tagFormat(format: AnswerFormat): TagFormat {
  switch (format.type) {
    case "json_object":
      return { type: "json_schema", json_schema: { type: "object" } };
    case "json_schema":
      return { type: "json_schema", json_schema: format.schema, strict: format.strict ?? true };
    case "regex":
      return { type: "regex", pattern: format.pattern };
    case "ebnf":
      return { type: "grammar", grammar: format.grammar };
    case "structural_tag":
      return format.format;
  }
}
