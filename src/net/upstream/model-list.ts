import { OpenAIError } from "../../openai/errors.ts";
import type { Upstream } from "./upstream.ts";

/** An entry of `GET models`. Servers add other fields. */
export interface ListedModel {
  readonly id: string;
}

/** Limit of a wait for the list, in ms. Clients often request it before anything else. */
const LIST_MS = 5_000;

/**
 * Fetches the upstream's list of models.
 *
 * @param request a GET, whose headers and signal are passed on
 * @throws OpenAIError when the upstream can't be reached in time or sends no list; the signal's
 *   reason when it aborts
 */
export async function fetchModels(upstream: Upstream, request: Request): Promise<ListedModel[]> {
  const timeout = AbortSignal.timeout(LIST_MS);
  const signal = AbortSignal.any([request.signal, timeout]);
  try {
    const response = await upstream.ask({ request, path: "models", query: "", body: null }, signal);
    if (response.ok) return entries(await response.json());
    void response.body?.cancel();
    throw unlisted(upstream, `it answered ${response.status}`);
  } catch (error) {
    request.signal.throwIfAborted();
    if (timeout.aborted) throw unlisted(upstream, `it took longer than ${LIST_MS} ms`);
    if (error instanceof OpenAIError) throw error;
    throw unlisted(upstream, (error as Error).message);
  }
}

/** @returns list entries for models of which only the names are known */
export function namedModels(names: readonly string[]): ListedModel[] {
  const created = Math.floor(Date.now() / 1000);
  return names.map((id) => ({ id, object: "model", created, owned_by: "upstream" }));
}

/** @throws TypeError when `list` is not a list of models */
function entries(list: unknown): ListedModel[] {
  const { data } = Object(list) as { data?: unknown };
  if (!Array.isArray(data)) throw new TypeError("its answer is not a list of models");
  return data.filter((entry) => typeof (Object(entry) as ListedModel).id === "string");
}

function unlisted({ url }: Upstream, why: string): OpenAIError {
  const message = `The upstream server at ${url} does not list its models: ${why}.`;
  const headers = { "retry-after": "1" };
  return new OpenAIError(502, message, { code: "upstream_failed", headers });
}
