import { interceptFetch, pageFetch } from "../net/intercept-fetch.ts";
import { type UpstreamOptions, checkUpstream } from "../net/upstream/address.ts";
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

/**
 * `withUpstream` for a page: it sends images that only the page can read, and isn't intercepted. The
 * first request loads its code, because most pages have no upstream.
 *
 * @throws RangeError when the upstream's address or key is invalid
 */
export function pageUpstream(
  model: Pick<LoadedModel, "id" | "fetch"> | undefined,
  upstream: UpstreamOptions,
): FetchHandler {
  const base = document.baseURI;
  checkUpstream(upstream, base);
  let opened: Promise<FetchHandler> | undefined;
  const open = async (): Promise<FetchHandler> => {
    const { withUpstream } = await import("../net/upstream/with-upstream.ts");
    return withUpstream(model, upstream, { fetch: pageFetch, base });
  };
  return async (request, url) => {
    opened ??= open().catch((error: unknown) => {
      opened = undefined; // A later request tries again.
      throw error;
    });
    return (await opened)(request, url);
  };
}
