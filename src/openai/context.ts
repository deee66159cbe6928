import type { ChatModel } from "../chat/model.ts";
import { OpenAIError, modelLoading, modelNotFound } from "./errors.ts";
import type { ResponseStore } from "./responses-store.ts";

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

/** What a route is given. */
export interface Context {
  readonly request: Request;
  /** Of a path such as `models/{id}`. */
  readonly id: string;
  /** Undefined while it is loading. */
  readonly model: ServedModel | undefined;
  /** The handler's own. */
  readonly responses: ResponseStore;
}

export type Route = (context: Context) => Promise<Response>;

/** @throws OpenAIError, `model_loading` */
export function loadedModel({ model }: Context): ServedModel {
  if (!model) throw modelLoading();
  return model;
}

/**
 * Checks that a request means this model; one that names none does.
 *
 * @throws OpenAIError, `model_not_found`
 */
export function checkModel(
  name: string | null | undefined,
  { id, aliases = [] }: ServedModel,
): void {
  if (name === undefined || name === null) return;
  if (![id, "default", ...aliases].includes(name)) throw modelNotFound(name, [id]);
}

const JSON_TYPE = /^application\/([\w.-]+\+)?json\b/i;

/** The type that `fetch` gives a string body when its caller names none. */
export const UNNAMED_TYPE = "text/plain;charset=UTF-8";

/** Whether a body is taken for JSON; one that no type was given for is. */
export function isJson(contentType: string | null): boolean {
  return contentType === null || contentType === UNNAMED_TYPE || JSON_TYPE.test(contentType);
}

/** @throws OpenAIError when the body is not a JSON object */
export async function readJson(request: Request): Promise<unknown> {
  const type = request.headers.get("content-type");
  if (!isJson(type)) {
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
