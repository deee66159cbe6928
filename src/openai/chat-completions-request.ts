import * as z from "zod/mini";
import type { ChatMessage } from "../chat/messages.ts";
import { answerFields } from "./answer-fields.ts";
import { formatFields } from "./format-fields.ts";
import { withMessageForms } from "./message-forms.ts";
import { reasoningEffort } from "./reasoning-effort.ts";
import { toolCall, toolCallsOf, toolChoice, tools } from "./tools.ts";
import { IGNORED_CHAT_FIELDS, logUnknownFields } from "./unknown-fields.ts";
import { UNSUPPORTED_CHAT_FIELDS, refuseUnsupported } from "./unsupported.ts";
import { answerLength, checkShape, integerIn, valueError } from "./validate.ts";
import type { ChatCompletionRequest, RequestPixelLimits, RequestMessage } from "./wire.ts";

const pixels = z.nullish(integerIn(1));
const pixelFields = { min_pixels: pixels, max_pixels: pixels };

const part = z.discriminatedUnion("type", [
  z.object({ type: z.literal("text"), text: z.string() }),
  z.object({ type: z.literal("refusal"), refusal: z.string() }),
  z.object({
    type: z.literal("image_url"),
    image_url: z.object({
      url: z.string().check(z.minLength(1)),
      detail: z.nullish(z.enum(["auto", "low", "high", "original"])),
      ...pixelFields,
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
  max_completion_tokens: z.nullish(answerLength),
  max_tokens: z.nullish(answerLength),
  logprobs: z.nullish(z.boolean()),
  top_logprobs: z.nullish(integerIn(0, 20)),
  return_token_ids: z.nullish(z.boolean()),
  stream: z.nullish(z.boolean()),
  stream_options: z.nullish(
    z.object({
      include_usage: z.nullish(z.boolean()),
      continuous_usage_stats: z.nullish(z.boolean()),
      include_progress: z.nullish(z.boolean()),
    }),
  ),
  n: z.nullish(integerIn(1, 8)),
  continue_final_message: z.nullish(z.boolean()),
  chat_template_kwargs: z.nullish(z.record(z.string(), z.unknown())),
  ...formatFields,
  mm_processor_kwargs: z.nullish(
    z.object({
      ...pixelFields,
      size: z.nullish(z.object({ shortest_edge: pixels, longest_edge: pixels })),
    }),
  ),
  tools: z.nullish(tools),
  tool_choice: z.nullish(toolChoice),
  parallel_tool_calls: z.nullish(z.boolean()),
  reasoning_effort: z.nullish(reasoningEffort),
  separate_reasoning: z.nullish(z.boolean()),
});

/**
 * Checks the body of `POST chat/completions`. Unknown fields are named in the log and ignored.
 *
 * @throws OpenAIError for the first error, naming its path
 */
export function validateChatCompletion(body: unknown): ChatCompletionRequest {
  const formed = withMessageForms(body) as Record<string, unknown>;
  const request = checkShape(chatCompletionRequest, formed);
  refuseUnsupported(formed);
  logUnknownFields(
    "chat/completions",
    body,
    chatCompletionRequest.shape,
    UNSUPPORTED_CHAT_FIELDS,
    IGNORED_CHAT_FIELDS,
  );
  if (request.top_logprobs && !request.logprobs) {
    throw valueError("top_logprobs", "0 unless 'logprobs' is true", request.top_logprobs);
  }
  return request;
}

/** The messages in the shape of the chat layer. */
export function chatMessages(request: ChatCompletionRequest): ChatMessage[] {
  const { min_pixels, max_pixels, size } = request.mm_processor_kwargs ?? {};
  const limits = {
    min_pixels: min_pixels ?? size?.shortest_edge,
    max_pixels: max_pixels ?? size?.longest_edge,
  };
  return request.messages.map((message) => ({
    role: message.role,
    content: contentOf(message.content, limits),
    ...(message.name && { name: message.name }),
    ...(message.reasoning_content && { reasoning: message.reasoning_content }),
    ...(message.tool_calls && { toolCalls: toolCallsOf(message.tool_calls) }),
    ...(message.tool_call_id && { toolCallId: message.tool_call_id }),
  }));
}

/** @param limits of images that have none of their own */
function contentOf(
  content: RequestMessage["content"],
  limits: RequestPixelLimits,
): ChatMessage["content"] {
  if (typeof content === "string") return content;
  return (content ?? []).map((part) => {
    if (part.type === "refusal") return { type: "text", text: part.refusal };
    if (part.type === "text") return part;
    const { url, detail, min_pixels, max_pixels } = part.image_url;
    const min = min_pixels ?? limits.min_pixels ?? undefined;
    const max = max_pixels ?? limits.max_pixels ?? undefined;
    return {
      type: "image_url",
      image_url: {
        url,
        // Processors have no detail above "high".
        ...(detail && { detail: detail === "original" ? "high" : detail }),
        ...((min ?? max) !== undefined && { pixels: { min, max } }),
      },
    };
  });
}
