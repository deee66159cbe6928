import { type ChatRequest, chat } from "../chat/chat.ts";
import { answerOptions, identityOf } from "./answer-options.ts";
import {
  wholeChatCompletion,
  chatCompletionChunks,
  progressChunk,
} from "./chat-completions-output.ts";
import { chatMessages, validateChatCompletion } from "./chat-completions-request.ts";
import { type Context, checkModel, loadedModel, readJson } from "./context.ts";
import { FIELD_PATHS, type PathOf, withPaths } from "./error-paths.ts";
import { ProgressReports, withProgress } from "./progress.ts";
import { effortVariables } from "./reasoning-effort.ts";
import { requestedFormat } from "./response-format.ts";
import { streamResponse } from "./stream-response.ts";
import { toolOptions } from "./tools.ts";
import type { ChatCompletionRequest } from "./wire.ts";

/** `POST chat/completions` */
export async function postChatCompletion(context: Context): Promise<Response> {
  const model = loadedModel(context);
  const { request } = context;
  const body = validateChatCompletion(await readJson(request));
  checkModel(body.model, model);
  const identity = identityOf(model, "chatcmpl");
  const tokenIds = body.return_token_ids ?? false;
  const ask = (signal: AbortSignal, onProgress?: ChatRequest["onProgress"]) =>
    withPaths(pathIn(body), () => chat(model.chat, { ...chatRequest(body, signal), onProgress }));
  if (!body.stream) {
    const answer = await ask(request.signal);
    return Response.json(await wholeChatCompletion(answer, identity, tokenIds));
  }
  return streamResponse(request, async (signal) => {
    const reports = body.stream_options?.include_progress ? new ProgressReports() : undefined;
    const answer = await ask(signal, reports?.add);
    const { stream_options } = body;
    const chunks = chatCompletionChunks(answer, identity, stream_options ?? {}, tokenIds);
    const events = reports
      ? withProgress(chunks, reports, (progress) => progressChunk(identity, progress))
      : chunks;
    return { events, answers: [answer] };
  });
}

/** The paths of errors about the request. */
function pathIn(body: ChatCompletionRequest): PathOf {
  return (subject) => {
    if (typeof subject === "object") {
      return `messages[${subject.message}].content[${subject.part}].image_url.url`;
    }
    return (subject === "format" && requestedFormat(body)?.path) || FIELD_PATHS[subject];
  };
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
