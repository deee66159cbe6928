import * as z from "zod/mini";
import { answerFields } from "./answer-fields.ts";
import { chatCompletionRequest } from "./chat-completions-request.ts";
import { OpenAIError } from "./errors.ts";
import { textFormatFields } from "./format-fields.ts";
import { EFFORTS } from "./reasoning-effort.ts";
import type {
  FunctionTool,
  ResponseRequest,
  TextConfig,
  TextFormat,
  ToolChoice,
} from "./responses-wire.ts";
import { functionName, parameters } from "./tools.ts";
import { IGNORED_RESPONSE_FIELDS, logUnknownFields } from "./unknown-fields.ts";
import { UNSUPPORTED_RESPONSE_FIELDS, refuseFields } from "./unsupported.ts";
import { answerLength, checkShape, integerIn, valueError } from "./validate.ts";

const functionType = z.literal("function", "'function'");

const functionTool = z.object({
  type: functionType,
  name: functionName,
  description: z.nullish(z.string()),
  parameters: z.nullish(parameters),
  strict: z.nullish(z.boolean()),
});

const jsonSchemaFormat = z.object({
  name: functionName,
  schema: z.record(z.string(), z.unknown()),
  description: z.nullish(z.string()),
  strict: z.nullish(z.boolean()),
});

const namedFunction = z.object({ type: functionType, name: z.string() });

const allowedTools = z.object({
  mode: z.enum(["auto", "required"]),
  tools: z.array(namedFunction).check(z.minLength(1)),
});

const CHOICES = ["none", "auto", "required"] as const;

const atMost = (length: number) => {
  const range = `a string of at most ${length} characters`;
  return z.string(range).check(z.refine((text) => text.length <= length, range));
};

const PAIRS = "at most 16 pairs, with keys of at most 64 characters";
const metadata = z.record(z.string(), atMost(512)).check(
  z.refine((pairs) => {
    const keys = Object.keys(pairs);
    return keys.length <= 16 && keys.every((key) => key.length <= 64);
  }, PAIRS),
);

export const responseRequest = z.extend(
  z.pick(chatCompletionRequest, { chat_template_kwargs: true }),
  {
    ...answerFields,
    ...textFormatFields,
    input: z.nullish(z.union([z.string(), z.array(z.unknown()).check(z.minLength(1))])),
    instructions: z.nullish(z.string()),
    previous_response_id: z.nullish(z.string()),
    max_output_tokens: z.nullish(answerLength),
    top_logprobs: z.nullish(integerIn(0, 20)),
    include: z.nullish(
      z.array(
        z.enum([
          "message.output_text.logprobs",
          "message.input_image.image_url",
          "reasoning.encrypted_content",
          "file_search_call.results",
          "web_search_call.results",
          "web_search_call.action.sources",
          "computer_call_output.output.image_url",
          "code_interpreter_call.outputs",
        ]),
      ),
    ),
    stream: z.nullish(z.boolean()),
    stream_options: z.nullish(z.object({ include_obfuscation: z.nullish(z.boolean()) })),
    store: z.nullish(z.boolean()),
    text: z.nullish(
      z.object({
        format: z.nullish(z.object({ type: z.enum(["text", "json_object", "json_schema"]) })),
        verbosity: z.nullish(z.enum(["low", "medium", "high"])),
      }),
    ),
    tools: z.nullish(z.array(functionTool)),
    tool_choice: z.nullish(
      z.union(
        [z.enum(CHOICES), z.object({ type: z.enum(["function", "allowed_tools"]) })],
        "one of 'none', 'auto', 'required', or an object that names functions",
      ),
    ),
    parallel_tool_calls: z.nullish(z.boolean()),
    reasoning: z.nullish(
      z.object({
        effort: z.nullish(z.enum(EFFORTS)),
        summary: z.nullish(z.enum(["auto", "concise", "detailed"])),
      }),
    ),
    metadata: z.nullish(metadata),
    truncation: z.nullish(z.enum(["auto", "disabled"])),
    user: z.nullish(z.string()),
    safety_identifier: z.nullish(z.string()),
    prompt_cache_key: z.nullish(z.string()),
  },
);

/** Chat completions' names of fields, with their names in the Responses API. */
export const RENAMED_RESPONSE_FIELDS: Readonly<Record<string, string>> = {
  messages: "input",
  max_tokens: "max_output_tokens",
  max_completion_tokens: "max_output_tokens",
  response_format: "text.format",
  reasoning_effort: "reasoning.effort",
  functions: "tools",
  function_call: "tool_choice",
};

/** A request with its defaults, as the response repeats them. */
export interface CheckedRequest extends ResponseRequest {
  readonly text: TextConfig;
  readonly tools: FunctionTool[];
  readonly tool_choice: ToolChoice;
}

/**
 * Checks the body of `POST responses`, except for the items of its input. Unknown fields are named
 * in the log and ignored.
 *
 * @throws OpenAIError for the first error, naming its path
 */
export function validateResponse(json: unknown): CheckedRequest {
  refuseRenamed(json as Record<string, unknown>);
  const body = checkShape(responseRequest, json);
  refuseFields(json as Record<string, unknown>, UNSUPPORTED_RESPONSE_FIELDS);
  logUnknownFields(
    "responses",
    json,
    responseRequest.shape,
    UNSUPPORTED_RESPONSE_FIELDS,
    IGNORED_RESPONSE_FIELDS,
  );
  if ((body.input ?? body.previous_response_id ?? undefined) === undefined) {
    const message = "Missing required parameter: 'input'.";
    throw new OpenAIError(400, message, { code: "missing_required_parameter", param: "input" });
  }
  const tools = (body.tools ?? []).map(toolOf);
  refuseDuplicateNames(tools);
  const verbosity = body.text?.verbosity;
  const text = {
    format: textFormatOf(body.text?.format?.type, json),
    ...(verbosity && { verbosity }),
  };
  const tool_choice = toolChoiceOf(body.tool_choice ?? "auto", tools, json);
  return { ...body, text, tools, tool_choice };
}

function refuseRenamed(json: Readonly<Record<string, unknown>>): void {
  for (const [param, name] of Object.entries(RENAMED_RESPONSE_FIELDS)) {
    if (json[param] === undefined || json[param] === null) continue;
    const message = `'${param}' is not a parameter of the Responses API. Use '${name}' instead.`;
    throw new OpenAIError(400, message, { code: "unsupported_parameter", param });
  }
}

function textFormatOf(type: TextFormat["type"] | undefined, json: unknown): TextFormat {
  if (type !== "json_schema") return { type: type ?? "text" };
  const format = checkShape(jsonSchemaFormat, json, ["text", "format"]);
  const { name, schema, description, strict } = format;
  return { type, name, schema, ...(description && { description }), strict: strict ?? null };
}

function toolOf(tool: z.output<typeof functionTool>): FunctionTool {
  const { type, name, description = null, parameters = null, strict = null } = tool;
  return { type, name, description, parameters, strict };
}

function refuseDuplicateNames(tools: readonly FunctionTool[]): void {
  for (const [i, { name }] of tools.entries()) {
    if (tools.findIndex((tool) => tool.name === name) === i) continue;
    throw valueError(`tools[${i}].name`, "a unique name", name);
  }
}

/** @throws OpenAIError when it names a function that is not in `tools` */
function toolChoiceOf(
  choice: (typeof CHOICES)[number] | { type: "function" | "allowed_tools" },
  tools: readonly FunctionTool[],
  json: unknown,
): ToolChoice {
  const known = tools.map(({ name }) => name);
  const check = (param: string, name: string) => {
    if (known.includes(name)) return;
    const expected = `the name of one of 'tools' (${known.join(", ") || "none"})`;
    throw valueError(param, expected, name);
  };
  if (typeof choice === "string") {
    if (choice === "required" && known.length === 0) {
      throw valueError("tool_choice", "'auto' or 'none' without 'tools'", choice);
    }
    return choice;
  }
  if (choice.type === "function") {
    const { type, name } = checkShape(namedFunction, json, ["tool_choice"]);
    check("tool_choice.name", name);
    return { type, name };
  }
  const { mode, tools: allowed } = checkShape(allowedTools, json, ["tool_choice"]);
  for (const [i, { name }] of allowed.entries()) check(`tool_choice.tools[${i}].name`, name);
  return { type: "allowed_tools", mode, tools: allowed };
}
