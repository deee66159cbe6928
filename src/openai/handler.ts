import { postChatCompletion } from "./chat-completions.ts";
import { postCompletion } from "./completions.ts";
import type { Route, ServedModel } from "./context.ts";
import { OpenAIError, toOpenAIError } from "./errors.ts";
import { getHealth, getModel, getModelInfo, getModels, postFlushCache } from "./models.ts";
import { postDetokenize, postTokenize } from "./tokenize.ts";

export type { ServedModel };

export interface HandlerOptions {
  /** What is served now; undefined while it is loading. */
  model(): ServedModel | undefined;
  /** What the paths begin with. Default "/v1/". */
  readonly prefix?: string;
}

/** By path below the prefix. */
const ROUTES: ReadonlyMap<string, { readonly method: string; readonly route: Route }> = new Map([
  ["chat/completions", { method: "POST", route: postChatCompletion }],
  ["completions", { method: "POST", route: postCompletion }],
  ["tokenize", { method: "POST", route: postTokenize }],
  ["detokenize", { method: "POST", route: postDetokenize }],
  ["models", { method: "GET", route: getModels }],
  ["models/{id}", { method: "GET", route: getModel }],
  ["model_info", { method: "GET", route: getModelInfo }],
  ["flush_cache", { method: "POST", route: postFlushCache }],
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
