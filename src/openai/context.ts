import type { ChatModel } from "../chat/model.ts";
import { OpenAIError, modelLoading, modelNotFound } from "./errors.ts";
import type { ResponseStore } from "./responses-store.ts";

/** A loaded model and its names. */
export interface ServedModel {
  readonly id: string;
  /** Other names of the model. "default" is always one of them. */
  readonly aliases?: readonly string[];
  /** When the model was loaded: Unix time in seconds. */
  readonly created: number;
  /** Differs between set-ups (runtime, kernels, weights) whose answers may differ. */
  readonly fingerprint: string;
  readonly chat: ChatModel;
}

/** The arguments of a route. */
export interface Context {
  readonly request: Request;
  /** The id in a path such as `models/{id}`. */
  readonly id: string;
  /** Undefined while the model is loading. */
  readonly model: ServedModel | undefined;
  /** The stored responses of this handler. */
  readonly responses: ResponseStore;
}

export type Route = (context: Context) => Promise<Response>;

/** @throws OpenAIError, `model_loading`, while no model is loaded */
export function loadedModel({ model }: Context): ServedModel {
  if (!model) throw modelLoading();
  return model;
}

/**
 * Checks that a request names this model, or no model.
 *
 * @throws OpenAIError, `model_not_found`, for another name
 */
export function checkModel(
  name: string | null | undefined,
  { id, aliases = [] }: ServedModel,
): void {
  if (name === undefined || name === null) return;
  if (![id, "default", ...aliases].includes(name)) throw modelNotFound(name, [id]);
}

const JSON_TYPE = /^application\/([\w.-]+\+)?json\b/i;

/** The content type that `fetch` gives a string body by default. */
export const UNNAMED_TYPE = "text/plain;charset=UTF-8";

/** Whether a body is parsed as JSON, which it is also without a content type. */
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
  checkNesting(body);
  return body;
}

/** Lists and objects within one another. What reads a body calls itself once per level. */
const MOST_NESTING = 250;

/** @throws OpenAIError for a field that is nested too deeply */
function checkNesting(body: object): void {
  for (const [param, value] of Object.entries(body)) {
    let level: unknown[] = [value];
    for (let depth = 0; level.length > 0; depth++) {
      if (depth > MOST_NESTING) {
        const message = `Invalid value for '${param}': expected at most ${MOST_NESTING} levels of nesting.`;
        throw new OpenAIError(400, message, { code: "invalid_value", param });
      }
      level = level.flatMap((item) =>
        typeof item === "object" && item !== null ? Object.values(item as object) : [],
      );
    }
  }
}
