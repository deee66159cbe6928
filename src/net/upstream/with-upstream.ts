import { isJson } from "../../openai/context.ts";
import { OpenAIError, modelNotFound, toOpenAIError } from "../../openai/errors.ts";
import type { FetchHandler } from "../../openai/handler.ts";
import { withRequestId } from "../../openai/request-id.ts";
import { unescaped } from "../../openai/unescaped.ts";
import type { LoadedModel } from "../../runtime/loaded-model.ts";
import { API_PREFIX } from "../api-prefix.ts";
import type { UpstreamOptions } from "./address.ts";
import { type ListedModel, fetchModels, namedModels } from "./model-list.ts";
import {
  type Upstream,
  type UpstreamAccess,
  type UpstreamRequest,
  openUpstream,
} from "./upstream.ts";

/** The model that is loaded here. */
type LocalModel = Pick<LoadedModel, "id" | "fetch">;

/** A request, and the two that can answer it. */
interface Question extends UpstreamRequest {
  readonly url: string;
  readonly local: LocalModel | undefined;
  readonly upstream: Upstream;
  /** The models that the upstream is asked for; undefined means all that it has. */
  readonly models: readonly ListedModel[] | undefined;
}

/**
 * Joins a local model and an upstream server behind one handler. A request that names the local
 * model, "default" or no model is answered here. A request that names another model goes to the
 * upstream. `GET models` lists both, and a stored response is found on whichever side has it. Like
 * every handler, it rejects only when the request is aborted.
 *
 * @param local undefined when no model could be loaded: the upstream then answers everything
 * @throws RangeError when the upstream's address or key is invalid
 */
export function withUpstream(
  local: LocalModel | undefined,
  options: UpstreamOptions,
  access: UpstreamAccess = {},
): FetchHandler {
  const upstream = openUpstream(options, access);
  const models = options.models && namedModels(options.models);
  return async (request, url = request.url) => {
    try {
      const { pathname, search } = new URL(url);
      const body = isBodiless(request) ? null : await request.arrayBuffer();
      const path = pathname.startsWith(API_PREFIX) ? pathname.slice(API_PREFIX.length) : undefined;
      const asked = { request, path: path ?? "", query: search, body };
      const question = { ...asked, json: jsonOf(request, body), url, local, upstream, models };
      const answered = path === undefined ? askLocal(question) : route(question);
      return withRequestId(await answered, request);
    } catch (error) {
      request.signal.throwIfAborted();
      return withRequestId(toOpenAIError(error).toResponse(), request);
    }
  };
}

async function route(question: Question): Promise<Response> {
  const { request, path, local, upstream } = question;
  if (request.method === "GET") {
    if (path === "models") return listModels(question);
    if (path.startsWith("models/")) return getModel(question, unescaped(path.slice(7)));
    if (path === "health" && !local) return getHealth(question);
  }
  if (local && path.startsWith("responses/")) {
    const response = await askLocal(question);
    if (response.status !== 404) return response;
    void response.body?.cancel();
    return upstream.ask(question);
  }
  return (await isForUpstream(question)) ? upstream.ask(question) : askLocal(question);
}

/** @throws OpenAIError `model_not_found` */
async function isForUpstream(question: Question): Promise<boolean> {
  const { json, local, models, path } = question;
  const model = json?.model;
  if (typeof model === "string") {
    if (isLocal(model, local)) return false;
    const known = !models || models.some(({ id }) => id === model);
    if (known || (!local && model === "default")) return true;
    throw modelNotFound(model, idsOf(local, models));
  }
  if (!local) return true;
  const previous = json?.previous_response_id;
  // The request names no model, but continues a response, which belongs to one of the two.
  return (
    path === "responses" && typeof previous === "string" && !(await hasResponse(question, previous))
  );
}

/** @returns whether the local model stores a response */
async function hasResponse({ local, request, url }: Question, response: string): Promise<boolean> {
  const { href } = new URL(`${API_PREFIX}responses/${encodeURIComponent(response)}`, url);
  const found = await local?.fetch(new Request(href, { signal: request.signal }), href);
  void found?.body?.cancel();
  return found?.status !== 404;
}

/** Lists the models of both. With a local model, an unreachable upstream is left out. */
async function listModels(question: Question): Promise<Response> {
  const { local, request } = question;
  if (!local) return Response.json({ object: "list", data: await upstreamModels(question) });
  const missing = (): ListedModel[] => {
    request.signal.throwIfAborted();
    return [];
  };
  const [response, theirs] = await Promise.all([
    askLocal(question),
    upstreamModels(question).catch(missing),
  ]);
  if (!response.ok) return response;
  const { data: ours } = (await response.json()) as { data: ListedModel[] };
  const data = [...ours, ...theirs.filter(({ id }) => id !== local.id)];
  return Response.json({ object: "list", data });
}

async function getModel(question: Question, id: string): Promise<Response> {
  const { local } = question;
  if (isLocal(id, local)) return askLocal(question);
  const theirs = await upstreamModels(question);
  const model = theirs.find((model) => model.id === id);
  if (!model) throw modelNotFound(id, idsOf(local, theirs));
  return Response.json(model);
}

/** Without a local model, the health is the upstream's. */
async function getHealth({ upstream, request }: Question): Promise<Response> {
  try {
    await fetchModels(upstream, request);
    return Response.json({ status: "ok" });
  } catch (error) {
    request.signal.throwIfAborted();
    const { message, code, headers } = error as OpenAIError;
    throw new OpenAIError(503, message, { code, headers, cause: error });
  }
}

async function upstreamModels({ models, ...question }: Question): Promise<readonly ListedModel[]> {
  return models ?? fetchModels(question.upstream, question.request);
}

function idsOf(local: LocalModel | undefined, theirs: readonly ListedModel[] = []): string[] {
  const ids = theirs.map(({ id }) => id);
  return local ? [local.id, ...ids] : ids;
}

function isLocal(model: string, local: LocalModel | undefined): local is LocalModel {
  return local !== undefined && (model === local.id || model === "default");
}

async function askLocal({ local, request, url, body }: Question): Promise<Response> {
  const { method, headers, signal } = request;
  if (!local)
    throw new OpenAIError(404, `Unknown request URL: ${method} ${new URL(url).pathname}.`);
  if (body === null) return local.fetch(request, url);
  return local.fetch(new Request(request.url, { method, headers, body, signal }), url);
}

function isBodiless({ method }: Request): boolean {
  return method === "GET" || method === "HEAD";
}

/** @returns the JSON object in a body; undefined for any other body, which the answering side rejects */
function jsonOf({ headers }: Request, body: ArrayBuffer | null): UpstreamRequest["json"] {
  if (!body || !isJson(headers.get("content-type"))) return undefined;
  try {
    const json: unknown = JSON.parse(new TextDecoder().decode(body));
    const isObject = typeof json === "object" && json !== null && !Array.isArray(json);
    return isObject ? (json as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
