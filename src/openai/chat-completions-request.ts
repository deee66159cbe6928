import * as z from "zod/mini";
import type { ChatMessage } from "../chat/messages.ts";
import { answerFields } from "./answer-fields.ts";
import { reasoningEffort } from "./reasoning-effort.ts";
import { responseFormat } from "./response-format.ts";
import { toolCall, toolCallsOf, toolChoice, tools } from "./tools.ts";
import { refuseUnsupported } from "./unsupported.ts";
import { checkShape, integerIn, valueError } from "./validate.ts";
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
 * @throws OpenAIError for the first error, naming its path
 */
export function validateChatCompletion(body: unknown): ChatCompletionRequest {
  const lowered = lowerRoles(body);
  const request = checkShape(chatCompletionRequest, lowered);
  refuseUnsupported(lowered as Record<string, unknown>);
  if (request.top_logprobs && !request.logprobs) {
    throw valueError("top_logprobs", "0 unless 'logprobs' is true", request.top_logprobs);
  }
  return request;
}

/** The messages in the shape of the chat layer. */
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

/** Lowers the case of roles, since SGLang accepts any case. */
function lowerRoles(body: unknown): unknown {
  const messages = (body as { messages?: unknown } | null)?.messages;
  if (!Array.isArray(messages)) return body;
  const lowered = messages.map((message: { role?: unknown } | null) =>
    typeof message?.role === "string" ? { ...message, role: message.role.toLowerCase() } : message,
  );
  return { ...(body as object), messages: lowered };
}
