import * as z from "zod/mini";
import type { ChatMessage } from "../chat/messages.ts";
import { OpenAIError } from "./errors.ts";
import { reasoningEffort } from "./reasoning-effort.ts";
import { responseFormat } from "./response-format.ts";
import { toolCall, toolCallsOf, toolChoice, tools } from "./tools.ts";
import { refuseUnsupported } from "./unsupported.ts";
import type { ChatCompletionRequest, RequestMessage } from "./wire.ts";

const part = z.discriminatedUnion("type", [
  z.object({ type: z.literal("text"), text: z.string() }),
  z.object({ type: z.literal("refusal"), refusal: z.string() }),
  z.object({
    type: z.literal("image_url"),
    image_url: z.object({
      url: z.string().check(z.minLength(1)),
      detail: z.nullish(z.enum(["auto", "low", "high"])),
    }),
  }),
]);

const ROLES = ["system", "developer", "user", "assistant", "tool", "function"] as const;

const content = z.union([z.string(), z.array(part)]);

const message = z.discriminatedUnion("role", [
  z.object({
    role: z.enum(["system", "developer", "user", "tool", "function"]),
    content,
    name: z.nullish(z.string()),
    tool_call_id: z.nullish(z.string()),
  }),
  z.object({
    role: z.literal("assistant"),
    content: z.nullish(content),
    name: z.nullish(z.string()),
    reasoning_content: z.nullish(z.string()),
    tool_calls: z.nullish(z.array(toolCall)),
  }),
]);

/** No text has half of a surrogate pair, so that it could only match within a character. */
const stopString = z.string().check(
  z.minLength(1),
  z.refine((stop) => !/\p{Surrogate}/u.test(stop), "whole characters"),
);

/** An integer; errors say its bounds. */
export function integerIn(least: number, most = Infinity) {
  const range =
    most === Infinity ? `an integer of at least ${least}` : `an integer from ${least} to ${most}`;
  return z.int(range).check(z.refine((n) => n >= least && n <= most, range));
}

/** A number; errors say its bounds. */
function numberIn(least: number, most: number) {
  const range = `a number from ${least} to ${most}`;
  return z.number(range).check(z.refine((n) => n >= least && n <= most, range));
}

const PENALTY = "a number greater than 0, at most 2";
const repetitionPenalty = z.number(PENALTY).check(z.refine((n) => n > 0 && n <= 2, PENALTY));

/** 64 bits, of which a JavaScript number holds the greater ones. */
const SEED = `an integer from ${-(2n ** 63n)} to ${2n ** 63n - 1n}`;
const seed = z
  .number(SEED)
  .check(z.refine((n) => Number.isInteger(n) && Math.abs(n) <= 2 ** 63, SEED));

const logitBias = z
  .record(z.string(), numberIn(-100, 100))
  .check(
    z.refine((bias) => Object.keys(bias).every((id) => /^\d+$/.test(id)), "token ids as keys"),
  );

/** What every request for an answer may ask: `AnswerRequest`. */
export const answerFields = {
  model: z.nullish(z.string()),
  temperature: z.nullish(numberIn(0, 2)),
  top_p: z.nullish(numberIn(0, 1)),
  top_k: z.nullish(integerIn(-1)),
  min_p: z.nullish(numberIn(0, 1)),
  frequency_penalty: z.nullish(numberIn(-2, 2)),
  presence_penalty: z.nullish(numberIn(-2, 2)),
  repetition_penalty: z.nullish(repetitionPenalty),
  logit_bias: z.nullish(logitBias),
  seed: z.nullish(seed),
  min_tokens: z.nullish(integerIn(0)),
  stop: z.nullish(z.union([stopString, z.array(stopString)])),
  stop_token_ids: z.nullish(z.array(integerIn(0))),
  ignore_eos: z.nullish(z.boolean()),
  no_stop_trim: z.nullish(z.boolean()),
  skip_special_tokens: z.nullish(z.boolean()),
  cache_salt: z.nullish(z.string()),
};

export const chatCompletionRequest = z.object({
  messages: z.array(message).check(z.minLength(1)),
  ...answerFields,
  max_completion_tokens: z.nullish(integerIn(1)),
  max_tokens: z.nullish(integerIn(1)),
  logprobs: z.nullish(z.boolean()),
  top_logprobs: z.nullish(integerIn(0, 20)),
  return_token_ids: z.nullish(z.boolean()),
  stream: z.nullish(z.boolean()),
  stream_options: z.nullish(
    z.object({
      include_usage: z.nullish(z.boolean()),
      continuous_usage_stats: z.nullish(z.boolean()),
    }),
  ),
  n: z.nullish(integerIn(1, 8)),
  continue_final_message: z.nullish(z.boolean()),
  chat_template_kwargs: z.nullish(z.record(z.string(), z.unknown())),
  response_format: z.nullish(responseFormat),
  regex: z.nullish(z.string()),
  ebnf: z.nullish(z.string()),
  tools: z.nullish(tools),
  tool_choice: z.nullish(toolChoice),
  parallel_tool_calls: z.nullish(z.boolean()),
  reasoning_effort: z.nullish(reasoningEffort),
  separate_reasoning: z.nullish(z.boolean()),
});

/**
 * Checks the body of `POST chat/completions`. Unknown fields are ignored.
 *
 * @throws OpenAIError for the first thing that is wrong, naming its path
 */
export function validateChatCompletion(body: unknown): ChatCompletionRequest {
  const lowered = lowerRoles(body);
  const request = checkShape(chatCompletionRequest, lowered);
  refuseUnsupported(lowered as Record<string, unknown>);
  if (request.top_logprobs && !request.logprobs) {
    throw valueError("top_logprobs", "'logprobs' to be true beside it", request.top_logprobs);
  }
  return request;
}

/**
 * A body of the right shape, without unknown fields.
 *
 * @param path of what has the shape, where it is not the whole body
 * @throws OpenAIError for the first thing that is wrong, naming its path
 */
export function checkShape<T extends z.ZodMiniType>(
  shape: T,
  body: unknown,
  path: readonly PropertyKey[] = [],
): z.output<T> {
  // Schemas that say nothing themselves say nothing, whatever language zod is set to.
  const result = shape.safeParse(valueAt(body, path), { error: () => "" });
  if (!result.success) throw issueError(result.error.issues[0] as Issue, body, path);
  return result.data;
}

/** The messages as the chat layer takes them. */
export function chatMessages(request: ChatCompletionRequest): ChatMessage[] {
  return request.messages.map((message) => ({
    role: message.role,
    content: contentOf(message.content),
    ...(message.name && { name: message.name }),
    ...(message.reasoning_content && { reasoning: message.reasoning_content }),
    ...(message.tool_calls && { toolCalls: toolCallsOf(message.tool_calls) }),
    ...(message.tool_call_id && { toolCallId: message.tool_call_id }),
  }));
}

function contentOf(content: RequestMessage["content"]): ChatMessage["content"] {
  if (typeof content === "string") return content;
  return (content ?? []).map((part) => {
    if (part.type === "refusal") return { type: "text", text: part.refusal };
    if (part.type === "text") return part;
    const { url, detail } = part.image_url;
    return { type: "image_url", image_url: { url, ...(detail && { detail }) } };
  });
}

/** Roles are told apart whatever their case, as SGLang does. */
function lowerRoles(body: unknown): unknown {
  const messages = (body as { messages?: unknown } | null)?.messages;
  if (!Array.isArray(messages)) return body;
  const lowered = messages.map((message: { role?: unknown } | null) =>
    typeof message?.role === "string" ? { ...message, role: message.role.toLowerCase() } : message,
  );
  return { ...(body as object), messages: lowered };
}

type Issue = z.core.$ZodIssue;

/**
 * The error for an issue.
 *
 * @param path where in the body the issue's own path begins
 */
function issueError(issue: Issue, body: unknown, path: readonly PropertyKey[] = []): OpenAIError {
  const whole = [...path, ...issue.path];
  const param = pathName(whole);
  const value = valueAt(body, whole);

  if (value === undefined) {
    const message = `Missing required parameter: '${param}'.`;
    return new OpenAIError(400, message, { code: "missing_required_parameter", param });
  }
  if (issue.code === "invalid_union" && issue.errors.length > 0) {
    const deepest = deepestIssue(issue.errors as Issue[][]);
    if (issue.message && !deepest?.path.length) return valueError(param, issue.message, value);
    if (deepest) return issueError(deepest, body, whole);
    const expected = issue.errors.flatMap((branch) => expectedOf(branch[0] as Issue));
    return typeError(param, [...new Set(expected)].join(" or "), value);
  }
  if (issue.code === "invalid_union" && typeof value === "string") {
    return whole.at(-1) === "type"
      ? partError(whole, value)
      : valueError(param, oneOf(ROLES), value);
  }
  if (issue.code === "invalid_type") {
    const expected = issue.message || expectedOf(issue).join();
    return typeof value === "number" && !Number.isFinite(value)
      ? valueError(param, expected, value) // 1e999 in JSON
      : typeError(param, expected, value);
  }
  if (issue.code === "invalid_union") return typeError(param, "string", value);
  return valueError(param, rangeOf(issue), value);
}

function valueAt(body: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((at, key) => (at as never)?.[key as never], body);
}

/** The issue of the branch that came furthest: it is the one that was meant. */
function deepestIssue(branches: readonly Issue[][]): Issue | undefined {
  const issues = branches.flatMap(([first]) => (first ? [first] : []));
  const meant = issues.filter(({ path, code }) => path.length > 0 || code !== "invalid_type");
  const along = ({ path }: Issue) => (typeof path[0] === "number" ? path[0] : 0);
  return meant.sort((a, b) => b.path.length - a.path.length || along(b) - along(a))[0];
}

function partError(path: readonly PropertyKey[], type: string): OpenAIError {
  const param = pathName(path.slice(0, -1));
  const message = `Content parts of type '${type}' are not supported: only 'text' and 'image_url' are.`;
  return new OpenAIError(400, message, { code: "unsupported_content_part", param });
}

function typeError(param: string, expected: string, value: unknown): OpenAIError {
  const type = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
  const got = expected.startsWith("an integer") && type === "number" ? String(value) : type;
  const message = `Invalid type for '${param}': expected ${expected}, but got ${got} instead.`;
  return new OpenAIError(400, message, { code: "invalid_type", param });
}

export function valueError(param: string, expected: string, value: unknown): OpenAIError {
  const shown = typeof value === "string" ? JSON.stringify(value) : String(value);
  const got = typeof value === "object" ? "" : `, but got ${shown} instead`;
  const message = `Invalid value for '${param}': expected ${expected}${got}.`;
  return new OpenAIError(400, message, { code: "invalid_value", param });
}

function expectedOf(issue: Issue): string[] {
  if (issue.code !== "invalid_type") return [];
  return [issue.expected === "record" ? "object" : issue.expected];
}

function rangeOf(issue: Issue): string {
  if (issue.message) return issue.message;
  switch (issue.code) {
    case "too_small":
      return issue.origin === "array" || issue.origin === "string"
        ? "something that is not empty"
        : `at least ${issue.minimum}`;
    case "too_big":
      return `at most ${issue.maximum}`;
    case "invalid_value":
      return oneOf(issue.values as readonly string[]);
    default:
      return "something else";
  }
}

function oneOf(values: readonly string[]): string {
  return `one of ${values.map((value) => `'${value}'`).join(", ")}`;
}

/** `messages[0].content[1].image_url.url` */
export function pathName(path: readonly PropertyKey[]): string {
  return path
    .map((key, i) => (typeof key === "number" ? `[${key}]` : `${i > 0 ? "." : ""}${String(key)}`))
    .join("");
}
