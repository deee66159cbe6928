import { interceptFetch, pageFetch } from "../net/intercept-fetch.ts";
import type { UpstreamOptions } from "../net/upstream/upstream.ts";
import { withUpstream } from "../net/upstream/with-upstream.ts";
import type { FetchHandler } from "../openai/handler.ts";
import type { LoadedModel } from "../runtime/loaded-model.ts";

export interface InterceptOptions {
  /**
   * Paths of the page's own origin to answer, with a slash at both ends. A path below the prefix is
   * treated like the same path below "/v1/". Default "/v1/".
   */
  readonly prefix?: string;
  /**
   * A server with OpenAI's API, such as SGLang or vLLM, that answers requests for models other than
   * the loaded one. It must allow requests from this page's origin.
   */
  readonly upstream?: UpstreamOptions;
}

/**
 * Lets an upstream server answer the page's own `fetch("/v1/…")`. For pages where no model could be
 * loaded; with a model, call `vlm.intercept`.
 *
 * @returns the undo
 * @throws RangeError for an invalid prefix or upstream, Error for a prefix that is already intercepted
 */
export function intercept(
  options: InterceptOptions & { readonly upstream: UpstreamOptions },
): () => void {
  return interceptWith(undefined, options);
}

/** `intercept` with an optional local model. */
export function interceptWith(
  model: Pick<LoadedModel, "id" | "fetch"> | undefined,
  { prefix, upstream }: InterceptOptions = {},
): () => void {
  const handler = upstream ? pageUpstream(model, upstream) : model?.fetch;
  if (!handler) throw new TypeError("intercept: expected an upstream, but got none");
  return interceptFetch(handler, prefix);
}

/** `withUpstream` for a page: it sends images that only the page can read, and isn't intercepted. */
export function pageUpstream(
  model: Pick<LoadedModel, "id" | "fetch"> | undefined,
  upstream: UpstreamOptions,
): FetchHandler {
  return withUpstream(model, upstream, { fetch: pageFetch, base: document.baseURI });
}
