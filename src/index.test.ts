import type OpenAI from "openai";
import { expectTypeOf, test } from "vitest";
import type * as z from "zod/mini";
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionRequest,
  Completion,
  CompletionRequest,
  ErrorBody,
  ModelEntry,
  RequestMessage,
  RequestTool,
  ResponseFormat,
  Responses,
  Usage,
  Vlm,
} from "./index.ts";
import type { chatCompletionRequest } from "./openai/chat-completions-request.ts";
import type { responseRequest } from "./openai/responses-request.ts";
import type { completionRequest } from "./openai/text-completions.ts";

// All of this is checked by the compiler (`npm run types`).

test("the answers that are exported are those of OpenAI's own package", () => {
  expectTypeOf<ChatCompletion>().toExtend<OpenAI.ChatCompletion>();
  expectTypeOf<ChatCompletionChunk>().toExtend<OpenAI.ChatCompletionChunk>();
  expectTypeOf<Usage>().toExtend<OpenAI.CompletionUsage>();
  expectTypeOf<ModelEntry>().toExtend<OpenAI.Model>();
  expectTypeOf<ErrorBody["error"]>().toExtend<OpenAI.ErrorObject>();
  expectTypeOf<Completion["object"]>().toEqualTypeOf<OpenAI.Completion["object"]>();
  expectTypeOf<Responses.ResponseObject>().toExtend<
    Omit<OpenAI.Responses.Response, "output_text">
  >();
});

test("requests for OpenAI's own package are requests here", () => {
  expectTypeOf<OpenAI.ChatCompletionUserMessageParam["role"]>().toExtend<RequestMessage["role"]>();
  expectTypeOf<OpenAI.ChatCompletionFunctionTool["type"]>().toExtend<RequestTool["type"]>();
  expectTypeOf<OpenAI.ResponseFormatJSONObject>().toExtend<ResponseFormat>();
  expectTypeOf<OpenAI.ChatCompletionCreateParams["stop"]>().toExtend<
    ChatCompletionRequest["stop"]
  >();
});

test("requests have every parameter that is checked, and no other", () => {
  type Chat = keyof z.output<typeof chatCompletionRequest>;
  expectTypeOf<keyof ChatCompletionRequest>().toEqualTypeOf<Chat>();
  type Text = keyof z.output<typeof completionRequest>;
  expectTypeOf<keyof CompletionRequest>().toEqualTypeOf<Text>();
  type Response = keyof z.output<typeof responseRequest>;
  expectTypeOf<keyof Responses.ResponseRequest>().toEqualTypeOf<Response>();
});

test("a loaded model takes and gives them", () => {
  type Body = Omit<ChatCompletionRequest, "stream">;
  expectTypeOf<Vlm["generate"]>().parameter(0).toEqualTypeOf<Body>();
  expectTypeOf<Vlm["generate"]>().returns.resolves.toEqualTypeOf<ChatCompletion>();
  expectTypeOf<Vlm["stream"]>().returns.toEqualTypeOf<
    AsyncGenerator<ChatCompletionChunk, void, void>
  >();
  expectTypeOf<Vlm["fetch"]>().toEqualTypeOf<typeof fetch>();
});
