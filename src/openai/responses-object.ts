import type { AnswerUsage } from "../chat/usage.ts";
import type { ServedModel } from "./context.ts";
import type { OpenAIError } from "./errors.ts";
import type { CheckedRequest } from "./responses-request.ts";
import { newId } from "./responses-store.ts";
import type { OutputItem, ResponseObject } from "./responses-wire.ts";
import { responseUsage } from "./usage.ts";

/** A response that has just begun. */
export function responseObject(body: CheckedRequest, model: ServedModel): ResponseObject {
  const { sampling } = model.chat.defaults;
  const { text, tools, tool_choice, user } = body;
  return {
    id: newId("resp"),
    object: "response",
    created_at: now(),
    status: "in_progress",
    completed_at: null,
    error: null,
    incomplete_details: null,
    model: model.id,
    output: [],
    background: false,
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    metadata: body.metadata ?? {},
    parallel_tool_calls: body.parallel_tool_calls ?? true,
    previous_response_id: body.previous_response_id ?? null,
    prompt_cache_key: body.prompt_cache_key ?? null,
    reasoning: {
      effort: body.reasoning?.effort ?? null,
      summary: body.reasoning?.summary ?? null,
    },
    safety_identifier: body.safety_identifier ?? null,
    service_tier: "default",
    temperature: body.temperature ?? sampling.temperature,
    text,
    tool_choice,
    tools,
    top_logprobs: body.top_logprobs ?? 0,
    top_p: body.top_p ?? sampling.topP,
    truncation: body.truncation ?? "disabled",
    ...(typeof user === "string" && { user }),
  };
}

/** The response at its end; "incomplete" if the length limit cut it. */
export function finishedResponse(
  response: ResponseObject,
  output: OutputItem[],
  usage: AnswerUsage,
  status: "completed" | "incomplete",
): ResponseObject {
  return {
    ...response,
    status,
    completed_at: status === "completed" ? now() : null,
    incomplete_details: status === "incomplete" ? { reason: "max_output_tokens" } : null,
    output,
    usage: responseUsage(usage),
  };
}

/** The response after a failure, with the items that were complete. */
export function failedResponse(
  response: ResponseObject,
  output: OutputItem[],
  usage: AnswerUsage,
  { status, message }: OpenAIError,
): ResponseObject {
  const code = status === 429 ? "rate_limit_exceeded" : "server_error";
  return {
    ...response,
    status: "failed",
    error: { code, message },
    output,
    usage: responseUsage(usage),
  };
}

/** Unix time in seconds. */
function now(): number {
  return Math.floor(Date.now() / 1000);
}
