import * as z from "zod/mini";
import type { ChatRequest } from "../chat/chat.ts";
import type { Tool, ToolCall } from "../chat/tools.ts";
import { OpenAIError } from "./errors.ts";
import type { ChatCompletionRequest, RequestToolCall, RequestToolChoice } from "./wire.ts";

export const functionName = z
  .string()
  .check(
    z.refine(
      (name) => /^[\w-]{1,64}$/.test(name),
      "1 to 64 letters, digits, underscores or hyphens",
    ),
  );

/** A JSON schema of arguments, which must be an object. */
export const parameters = z
  .record(z.string(), z.unknown())
  .check(
    z.refine(
      ({ type }) => type === undefined || type === "object",
      "a JSON schema whose 'type' is 'object'",
    ),
  );

const tool = z.object({
  type: z.literal("function"),
  function: z.object({
    name: functionName,
    description: z.nullish(z.string()),
    parameters: z.nullish(parameters),
    strict: z.nullish(z.boolean()),
  }),
});

export const tools = z.array(tool).check((context) => {
  const names = new Set<string>();
  for (const [i, { function: named }] of context.value.entries()) {
    if (!names.has(named.name)) {
      names.add(named.name);
      continue;
    }
    const path = [i, "function", "name"];
    const message = "a unique name";
    context.issues.push({ code: "custom", input: named.name, path, message });
  }
});

const choice = z.object({
  type: z.enum(["function", "allowed_tools"]),
  function: z.optional(z.object({ name: z.string() })),
  allowed_tools: z.optional(
    z.object({
      mode: z.enum(["auto", "required"]),
      tools: z.array(
        z.object({ type: z.literal("function"), function: z.object({ name: z.string() }) }),
      ),
    }),
  ),
});

export const toolChoice = z.pipe(
  z.union(
    [
      z.enum(["none", "auto", "required"]),
      choice.check((context) => {
        const { type } = context.value;
        if (context.value[type] !== undefined) return;
        const issue = { input: undefined, path: [type], message: "an object" };
        context.issues.push({ code: "custom", ...issue });
      }),
    ],
    "one of 'none', 'auto', 'required', or an object that names functions",
  ),
  z.transform((choice) => choice as RequestToolChoice),
);

/** A tool call in a message from the assistant. */
export const toolCall = z.object({
  id: z.string(),
  type: z.literal("function"),
  function: z.object({
    name: z.string(),
    arguments: z.pipe(
      z.transform(argumentsForm),
      z.string().check(z.refine(isObjectJson, "the JSON of an object")),
    ),
  }),
});

/**
 * The arguments of a call as text. A call without arguments has an empty object; clients also send
 * nothing, `null` or an empty text for it.
 */
function argumentsForm(value: unknown): unknown {
  if (value === undefined || value === null) return "{}";
  if (typeof value === "string") return ["", "null"].includes(value.trim()) ? "{}" : value;
  return typeof value === "object" && !Array.isArray(value) ? JSON.stringify(value) : value;
}

export function isObjectJson(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

/** Past tool calls in the shape of the chat layer. */
export function toolCallsOf(calls: readonly RequestToolCall[]): ToolCall[] {
  return calls.map(({ id, function: { name, arguments: json } }) => ({
    id,
    name,
    arguments: json,
  }));
}

/**
 * The tool options of a request, in the shape of the chat layer. With `allowed_tools`, the prompt
 * describes only those, so that the model can't call others.
 *
 * @throws OpenAIError when `allowed_tools` names a function that is not in `tools`
 */
export function toolOptions(
  body: Pick<ChatCompletionRequest, "tools" | "tool_choice" | "parallel_tool_calls" | "stream">,
): Pick<ChatRequest, "tools" | "toolChoice" | "parallelToolCalls" | "streamArguments"> {
  const all = (body.tools ?? []).map(toolOf);
  const options = {
    tools: all,
    parallelToolCalls: body.parallel_tool_calls ?? true,
    streamArguments: body.stream ?? false,
  };
  const { tool_choice: choice } = body;
  if (choice === undefined || choice === null) return options;
  if (typeof choice === "string") return { ...options, toolChoice: choice };
  if (choice.type === "function") {
    return { ...options, toolChoice: { name: choice.function.name } };
  }
  const { mode, tools: allowed } = choice.allowed_tools;
  const tools = allowed.map(({ function: { name } }) => {
    const found = all.find((tool) => tool.function.name === name);
    if (found) return found;
    const message = `Invalid value for 'tool_choice': 'tools' has no function named '${name}'.`;
    throw new OpenAIError(400, message, { code: "invalid_value", param: "tool_choice" });
  });
  return { ...options, tools, toolChoice: mode };
}

function toolOf({
  type,
  function: described,
}: NonNullable<ChatCompletionRequest["tools"]>[0]): Tool {
  const { name, description, parameters, strict } = described;
  return {
    type,
    function: {
      name,
      ...(typeof description === "string" && { description }),
      ...(parameters && { parameters }),
      ...(typeof strict === "boolean" && { strict }),
    },
  };
}
