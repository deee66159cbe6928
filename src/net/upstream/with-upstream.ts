import { isJson } from "../../openai/context.ts";
import { OpenAIError, modelNotFound, toOpenAIError } from "../../openai/errors.ts";
import { withRequestId } from "../../openai/request-id.ts";
import { unescaped } from "../../openai/unescaped.ts";
import type { FetchHandler } from "../intercept.ts";
import { type ListedModel, fetchModels, namedModels } from "./model-list.ts";
import {
  type Asked,
  type Upstream,
  type UpstreamAccess,
  type UpstreamOptions,
  openUpstream,
} from "./upstream.ts";

/** The model that answers here. */
export interface LocalModel {
  readonly id: string;
  readonly fetch: FetchHandler;
}

/** A request, and who can answer it. */
interface Question extends Asked {
  readonly url: string;
  readonly local: LocalModel | undefined;
  readonly upstream: Upstream;
  /** What the upstream is asked for; undefined for all that it has. */
  readonly models: readonly ListedModel[] | undefined;
}

const SERVED = "/v1/";

/**
 * A handler of OpenAI's API that answers with the local model where that is asked for, by its name,
 * "default" or none, and passes on to the upstream what names another model. The models of both are
 * listed, and a stored response is found where it was made. Like any handler it rejects only when the
 * request is aborted.
 *
 * @param local undefined where no model could be loaded: the upstream answers everything then
 * @throws RangeError when the upstream's address or key can't be used
 */
export function withUpstream(
  local: LocalModel | undefined,
  options: UpstreamOptions,
  access: UpstreamAccess = {},
): (request: Request, url?: string) => Promise<Response> {
  const upstream = openUpstream(options, access);
  const models = options.models && namedModels(options.models);
  return async (request, url = request.url) => {
    try {
      const { pathname, search } = new URL(url);
      const body = isBodiless(request) ? null : await request.arrayBuffer();
      const path = pathname.startsWith(SERVED) ? pathname.slice(SERVED.length) : undefined;
      const asked = { request, path: path ?? "", query: search, body };
      const question = { ...asked, json: jsonOf(request, body), url, local, upstream, models };
      const answered = path === undefined ? askLocal(question) : answer(question);
      return withRequestId(await answered, request);
    } catch (error) {
      request.signal.throwIfAborted();
      return withRequestId(toOpenAIError(error).toResponse(), request);
    }
  };
}

async function answer(question: Question): Promise<Response> {
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

/** @throws OpenAIError, `model_not_found` */
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
  // It goes on from a response, which tells whose it is where no model does.
  return path === "responses" && typeof previous === "string" && !(await has(question, previous));
}

/** Whether the local model has made a response, and still has it. */
async function has({ local, request, url }: Question, response: string): Promise<boolean> {
  const { href } = new URL(`${SERVED}responses/${encodeURIComponent(response)}`, url);
  const found = await local?.fetch(new Request(href, { signal: request.signal }), href);
  void found?.body?.cancel();
  return found?.status !== 404;
}

/** The local model's list, and the upstream's, which may be missing where there is a local one. */
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

/** Nothing is loaded here that could be ready: the upstream is, or is not. */
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

/** @returns the object in a body; undefined for what is none, and refused by whoever answers it */
function jsonOf({ headers }: Request, body: ArrayBuffer | null): Asked["json"] {
  if (!body || !isJson(headers.get("content-type"))) return undefined;
  try {
    const json: unknown = JSON.parse(new TextDecoder().decode(body));
    const isObject = typeof json === "object" && json !== null && !Array.isArray(json);
    return isObject ? (json as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
