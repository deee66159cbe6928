import type { AnswerOptions } from "../chat/answer-types.ts";
import type { AnswerIdentity } from "./chat-completions-output.ts";
import type { ServedModel } from "./context.ts";
import { requestedFormat } from "./response-format.ts";
import type { ChatCompletionRequest } from "./wire.ts";

/** The options of an answer that chat and text completions share. */
export function answerOptions(
  body: Omit<ChatCompletionRequest, "messages" | "tools" | "tool_choice">,
  signal: AbortSignal,
): AnswerOptions {
  return {
    maxTokens: body.max_completion_tokens ?? body.max_tokens ?? undefined,
    stop: typeof body.stop === "string" ? [body.stop] : (body.stop ?? []),
    stopTokenIds: body.stop_token_ids ?? [],
    keepStop: body.no_stop_trim ?? body.include_stop_str_in_output ?? false,
    ignoreEos: body.ignore_eos ?? false,
    skipSpecialTokens: body.skip_special_tokens ?? true,
    format: requestedFormat(body)?.format,
    choices: body.n ?? 1,
    sampling: {
      temperature: body.temperature ?? undefined,
      topK: body.top_k === -1 ? 0 : (body.top_k ?? undefined),
      // OpenAI allows 0, which must keep the most likely token.
      topP: body.top_p === 0 ? 1e-6 : (body.top_p ?? undefined),
      minP: body.min_p ?? undefined,
      seed: body.seed ?? undefined,
      frequencyPenalty: body.frequency_penalty ?? undefined,
      presencePenalty: body.presence_penalty ?? undefined,
      repetitionPenalty: body.repetition_penalty ?? body.repeat_penalty ?? undefined,
      logitBias: new Map(
        Object.entries(body.logit_bias ?? {}).map(([id, bias]) => [Number(id), bias]),
      ),
    },
    minTokens: body.min_tokens ?? 0,
    logprobs: body.logprobs ? (body.top_logprobs ?? 0) : undefined,
    priority: body.priority ?? 0,
    cacheSalt: body.cache_salt ?? undefined,
    signal,
  };
}

/** @param kind the beginning of the id, such as "chatcmpl" */
export function identityOf({ id, fingerprint }: ServedModel, kind: string): AnswerIdentity {
  return {
    id: `${kind}-${crypto.randomUUID().replaceAll("-", "")}`,
    created: Math.floor(Date.now() / 1000),
    model: id,
    system_fingerprint: fingerprint,
  };
}
