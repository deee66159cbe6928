import { OpenAIError } from "../../openai/errors.ts";
import type { Upstream } from "./upstream.ts";

/** What is sure of an entry of `GET models`. */
export interface ListedModel {
  readonly id: string;
}

/** A list is not worth waiting for longer: clients ask for it before they ask for anything else. */
const LIST_MS = 5_000;

/**
 * The upstream's models as it lists them.
 *
 * @param request a GET, whose headers and signal are passed on
 * @throws OpenAIError when it can't be reached in time, or lists none; the signal's reason
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

/** Models of which only the names are known, as a list has them. */
export function namedModels(names: readonly string[]): ListedModel[] {
  const created = Math.floor(Date.now() / 1000);
  return names.map((id) => ({ id, object: "model", created, owned_by: "upstream" }));
}

/** @throws TypeError when it is no list of models */
function entries(list: unknown): ListedModel[] {
  const { data } = Object(list) as { data?: unknown };
  if (!Array.isArray(data)) throw new TypeError("its answer is no list of models");
  return data.filter((entry) => typeof (Object(entry) as ListedModel).id === "string");
}

function unlisted({ url }: Upstream, why: string): OpenAIError {
  const message = `The upstream server at ${url} does not list its models: ${why}.`;
  const headers = { "retry-after": "1" };
  return new OpenAIError(502, message, { code: "upstream_failed", headers });
}
