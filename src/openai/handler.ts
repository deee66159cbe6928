import { type ChatModel, type ChatRequest, chat } from "../chat/chat.ts";
import { type AnswerIdentity, completion, completionChunks } from "./completion.ts";
import { OpenAIError, modelLoading, modelNotFound, toOpenAIError } from "./errors.ts";
import { eventStream } from "./sse.ts";
import { messagesOf, validateChatCompletion } from "./validate.ts";
import type { ChatCompletionRequest, ModelEntry } from "./wire.ts";

/** A model under the names it answers to. */
export interface ServedModel {
  readonly id: string;
  /** Other names for it; "default" always is one. */
  readonly aliases?: readonly string[];
  /** When it was loaded, Unix time in seconds. */
  readonly created: number;
  /** Tells answers of one set-up (runtime, kernels, weights) from those of another. */
  readonly fingerprint: string;
  readonly chat: ChatModel;
}

export interface HandlerOptions {
  /** What is served now; undefined while it is loading. */
  model(): ServedModel | undefined;
  /** What the paths begin with. Default "/v1/". */
  readonly prefix?: string;
}

interface Context {
  readonly request: Request;
  /** The end of the path of `models/{id}`. */
  readonly id: string;
  readonly model: ServedModel | undefined;
}

type Route = (context: Context) => Promise<Response>;

/** By path below the prefix. */
const ROUTES: ReadonlyMap<string, { readonly method: string; readonly route: Route }> = new Map([
  ["chat/completions", { method: "POST", route: postChatCompletion }],
  ["models", { method: "GET", route: getModels }],
  ["models/{id}", { method: "GET", route: getModel }],
  ["health", { method: "GET", route: getHealth }],
]);

/**
 * OpenAI's HTTP API as a function. It rejects only when the request is aborted, with the signal's
 * reason, as `fetch` does; every other failure is a response with OpenAI's error body.
 */
export function createHandler(options: HandlerOptions): (request: Request) => Promise<Response> {
  const { prefix = "/v1/" } = options;
  return async (request) => {
    try {
      const { pathname } = new URL(request.url);
      const path = pathname.startsWith(prefix) ? pathname.slice(prefix.length) : "";
      const id = /^models\/(.+)$/.exec(path)?.[1];
      const found = ROUTES.get(id ? "models/{id}" : path);
      if (!found) throw unknownPath(request.method, pathname);
      if (found.method !== request.method)
        throw wrongMethod(request.method, pathname, found.method);
      return await found.route({ request, id: unescaped(id ?? ""), model: options.model() });
    } catch (error) {
      request.signal.throwIfAborted();
      return toOpenAIError(error).toResponse();
    }
  };
}

function unknownPath(method: string, pathname: string): OpenAIError {
  return new OpenAIError(404, `Unknown request URL: ${method} ${pathname}.`);
}

function wrongMethod(method: string, pathname: string, allowed: string): OpenAIError {
  const message = `${pathname} does not take ${method}, only ${allowed}.`;
  return new OpenAIError(405, message, { headers: { allow: allowed } });
}

/** A path with its escapes decoded, or as it is where they are broken. */
function unescaped(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

const EVENT_STREAM = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache",
};

async function postChatCompletion({ request, model }: Context): Promise<Response> {
  if (!model) throw modelLoading();
  const body = validateChatCompletion(await readJson(request));
  checkModel(body.model, model);
  const identity: AnswerIdentity = {
    id: `chatcmpl-${crypto.randomUUID().replaceAll("-", "")}`,
    created: Math.floor(Date.now() / 1000),
    model: model.id,
    system_fingerprint: model.fingerprint,
  };
  const tokenIds = body.return_token_ids ?? false;
  if (!body.stream) {
    const answer = await chat(model.chat, chatRequest(body, request.signal));
    return Response.json(await completion(answer, identity, tokenIds));
  }
  const closed = new AbortController();
  const signal = AbortSignal.any([request.signal, closed.signal]);
  const answer = await chat(model.chat, chatRequest(body, signal));
  const chunks = await completionChunks(answer, identity, body.stream_options ?? {}, tokenIds);
  const stop = async () => {
    closed.abort(); // a step that is under way
    await answer.deltas.return(); // or whatever waits for the next
  };
  return new Response(eventStream(chunks, signal, stop), { headers: EVENT_STREAM });
}

function chatRequest(body: ChatCompletionRequest, signal: AbortSignal): ChatRequest {
  return {
    messages: messagesOf(body),
    maxTokens: body.max_completion_tokens ?? body.max_tokens ?? undefined,
    stop: typeof body.stop === "string" ? [body.stop] : (body.stop ?? []),
    stopTokenIds: body.stop_token_ids ?? [],
    ignoreEos: body.ignore_eos ?? false,
    skipSpecialTokens: body.skip_special_tokens ?? true,
    sampling: {
      temperature: body.temperature ?? undefined,
      topK: body.top_k === -1 ? 0 : (body.top_k ?? undefined),
      // OpenAI allows 0, which must keep the likeliest token.
      topP: body.top_p === 0 ? 1e-6 : (body.top_p ?? undefined),
      minP: body.min_p ?? undefined,
      seed: body.seed ?? undefined,
    },
    templateVariables: body.chat_template_kwargs ?? {},
    signal,
  };
}

const JSON_TYPE = /^application\/([\w.-]+\+)?json\b/i;

/** The type that `fetch` gives a string body when its caller names none. */
const UNNAMED_TYPE = "text/plain;charset=UTF-8";

async function readJson(request: Request): Promise<unknown> {
  const type = request.headers.get("content-type") ?? UNNAMED_TYPE;
  if (!JSON_TYPE.test(type) && type !== UNNAMED_TYPE) {
    throw new OpenAIError(400, `The content type must be application/json, but got ${type}.`);
  }
  const text = await request.text();
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (cause) {
    const message = `The body is not valid JSON: ${(cause as Error).message}`;
    throw new OpenAIError(400, message, { cause });
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new OpenAIError(400, "The body must be a JSON object.");
  }
  return body;
}

function checkModel(name: string | null | undefined, { id, aliases = [] }: ServedModel): void {
  if (name === undefined || name === null) return;
  if (![id, "default", ...aliases].includes(name)) throw modelNotFound(name, [id]);
}

async function getModels({ model }: Context): Promise<Response> {
  return Response.json({ object: "list", data: model ? [modelEntry(model)] : [] });
}

async function getModel({ id, model }: Context): Promise<Response> {
  if (!model) throw modelLoading();
  checkModel(id, model);
  return Response.json(modelEntry(model));
}

async function getHealth({ model }: Context): Promise<Response> {
  if (!model) throw modelLoading();
  return Response.json({ status: "ok" });
}

function modelEntry({ id, created, chat }: ServedModel): ModelEntry {
  return {
    id,
    object: "model",
    created,
    owned_by: "webvlm",
    root: id,
    parent: null,
    max_model_len: chat.generator.contextLength,
  };
}
