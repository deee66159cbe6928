import { postChatCompletion } from "./chat-completions.ts";
import type { Route, ServedModel } from "./context.ts";
import { OpenAIError, toOpenAIError } from "./errors.ts";
import { getHealth, getModel, getModelInfo, getModels, postFlushCache } from "./models.ts";
import { withRequestId } from "./request-id.ts";
import { ResponseStore } from "./responses-store.ts";
import { deleteResponse, getInputItems, getResponse, postResponse } from "./responses.ts";
import { postCompletion } from "./text-completions.ts";
import { postDetokenize, postTokenize } from "./tokenize.ts";
import { unescaped } from "./unescaped.ts";

export type { ServedModel };

/** Answers a request, as a server does. `url` replaces `request.url`. */
export type FetchHandler = (request: Request, url?: string) => Promise<Response>;

export interface HandlerOptions {
  /** The loaded model; undefined while it is loading. */
  model(): ServedModel | undefined;
  /** The beginning of all paths. Default "/v1/". */
  readonly prefix?: string;
}

/** Routes by path, without the prefix, and by method. */
const ROUTES = new Map<string, Readonly<Record<string, Route>>>([
  ["chat/completions", { POST: postChatCompletion }],
  ["completions", { POST: postCompletion }],
  ["responses", { POST: postResponse }],
  ["responses/{id}", { GET: getResponse, DELETE: deleteResponse }],
  ["responses/{id}/input_items", { GET: getInputItems }],
  ["tokenize", { POST: postTokenize }],
  ["detokenize", { POST: postDetokenize }],
  ["models", { GET: getModels }],
  ["models/{id}", { GET: getModel }],
  ["model_info", { GET: getModelInfo }],
  ["flush_cache", { POST: postFlushCache }],
  ["health", { GET: getHealth }],
]);

/** Paths that contain an id. Ids of models may contain slashes. */
const ID_PATHS: readonly (readonly [string, RegExp])[] = [
  ["models/{id}", /^models\/(.+)$/],
  ["responses/{id}", /^responses\/([^/]+)$/],
  ["responses/{id}/input_items", /^responses\/([^/]+)\/input_items$/],
];

/**
 * OpenAI's HTTP API as a function. Like `fetch`, it rejects with the signal's reason when the request
 * is aborted. Every other failure is a response with OpenAI's error body. Every response has an
 * `x-request-id`: that of the request, or a new one.
 */
export function createHandler(options: HandlerOptions): FetchHandler {
  const { prefix = "/v1/" } = options;
  const responses = new ResponseStore();
  const dispatch = async (request: Request, url: string): Promise<Response> => {
    try {
      const { pathname } = new URL(url);
      const path = pathname.startsWith(prefix) ? pathname.slice(prefix.length) : "";
      const { methods, id } = findRoutes(path);
      if (!methods) throw unknownPath(request.method, pathname);
      // RFC 9110: HEAD is wherever GET is.
      const isHead = request.method === "HEAD";
      const method = isHead ? "GET" : request.method;
      const route = Object.hasOwn(methods, method) && methods[method];
      if (!route) throw wrongMethod(request.method, pathname, methods);
      const response = await route({ request, id, model: options.model(), responses });
      return isHead ? new Response(null, response) : response;
    } catch (error) {
      request.signal.throwIfAborted();
      return toOpenAIError(error).toResponse();
    }
  };
  return async (request, url = request.url) => withRequestId(await dispatch(request, url), request);
}

function findRoutes(path: string): { methods?: Readonly<Record<string, Route>>; id: string } {
  for (const [name, pattern] of ID_PATHS) {
    const id = pattern.exec(path)?.[1];
    if (id !== undefined) return { methods: ROUTES.get(name), id: unescaped(id) };
  }
  return { methods: ROUTES.get(path), id: "" };
}

function unknownPath(method: string, pathname: string): OpenAIError {
  return new OpenAIError(404, `Unknown request URL: ${method} ${pathname}.`);
}

function wrongMethod(
  method: string,
  pathname: string,
  methods: Readonly<Record<string, Route>>,
): OpenAIError {
  const allowed = Object.keys(methods)
    .flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : method))
    .join(", ");
  const message = `${pathname} does not support ${method}. Supported: ${allowed}.`;
  return new OpenAIError(405, message, { headers: { allow: allowed } });
}
