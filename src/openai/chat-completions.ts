import { type ChatRequest, chat } from "../chat/chat.ts";
import { answerOptions, identityOf } from "./answer-options.ts";
import { wholeChatCompletion, chatCompletionChunks } from "./chat-completions-output.ts";
import { type Context, checkModel, loadedModel, readJson } from "./context.ts";
import { effortVariables } from "./reasoning-effort.ts";
import { EVENT_STREAM, eventStream } from "./sse.ts";
import { toolOptions } from "./tools.ts";
import { chatMessages, validateChatCompletion } from "./validate.ts";
import type { ChatCompletionRequest } from "./wire.ts";

/** `POST chat/completions` */
export async function postChatCompletion(context: Context): Promise<Response> {
  const model = loadedModel(context);
  const { request } = context;
  const body = validateChatCompletion(await readJson(request));
  checkModel(body.model, model);
  const identity = identityOf(model, "chatcmpl");
  const tokenIds = body.return_token_ids ?? false;
  if (!body.stream) {
    const answer = await chat(model.chat, chatRequest(body, request.signal));
    return Response.json(await wholeChatCompletion(answer, identity, tokenIds));
  }
  const closed = new AbortController();
  const signal = AbortSignal.any([request.signal, closed.signal]);
  const answer = await chat(model.chat, chatRequest(body, signal));
  const chunks = await chatCompletionChunks(answer, identity, body.stream_options ?? {}, tokenIds);
  const stop = async () => {
    closed.abort(); // a step that is under way
    await answer.deltas.return(); // or whatever waits for the next
  };
  return new Response(eventStream(chunks, signal, stop), { headers: EVENT_STREAM });
}

function chatRequest(body: ChatCompletionRequest, signal: AbortSignal): ChatRequest {
  return {
    ...answerOptions(body, signal),
    ...toolOptions(body),
    messages: chatMessages(body),
    continueFinalMessage: body.continue_final_message ?? false,
    separateReasoning: body.separate_reasoning ?? undefined,
    templateVariables: { ...effortVariables(body.reasoning_effort), ...body.chat_template_kwargs },
  };
}
