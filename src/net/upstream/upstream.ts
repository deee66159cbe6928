import { UNNAMED_TYPE } from "../../openai/context.ts";
import { OpenAIError } from "../../openai/errors.ts";
import { type UpstreamOptions, bearer, upstreamUrl } from "./address.ts";
import { returnedHeaders, sentHeaders } from "./headers.ts";
import { inlinePageImages } from "./page-images.ts";

/** How the upstream is reached. */
export interface UpstreamAccess {
  /** Default: the global `fetch`. */
  readonly fetch?: typeof fetch;
  /** The page's own URL. With it, images that only the page can read are sent as data URLs. */
  readonly base?: string;
}

/** A request whose body is read. */
export interface UpstreamRequest {
  readonly request: Request;
  /** The path below "/v1/", percent-encoded as it came. */
  readonly path: string;
  /** The query with its "?", or an empty string. */
  readonly query: string;
  readonly body: ArrayBuffer | null;
  /** The body, if it is a JSON object. */
  readonly json?: Readonly<Record<string, unknown>> | undefined;
}

export interface Upstream {
  /** Has no slash at its end. */
  readonly url: string;
  /**
   * Sends a request to the upstream, and returns its answer. Headers that belong to a connection are
   * dropped both ways; everything else stays unchanged.
   *
   * @param signal default: the request's own
   * @throws OpenAIError `upstream_unreachable`; OpenAIError for an image that the page can't read;
   *   the signal's reason when it aborts
   */
  ask(asked: UpstreamRequest, signal?: AbortSignal): Promise<Response>;
}

/** Statuses of responses without a body. */
const NO_BODY = [204, 205, 304];

/** @throws RangeError when the address or the key is invalid */
export function openUpstream({ url, apiKey }: UpstreamOptions, access: UpstreamAccess): Upstream {
  const { base, fetch = (...args) => globalThis.fetch(...args) } = access;
  const address = upstreamUrl(url, base);
  const authorization = apiKey ? bearer(apiKey) : undefined;

  return {
    url: address,

    async ask(asked, signal = asked.request.signal) {
      const { method } = asked.request;
      const headers = sentHeaders(asked.request.headers, authorization);
      // `fetch` adds this type to a string body when the caller gives none. The body is JSON.
      if (headers.get("content-type") === UNNAMED_TYPE) {
        headers.set("content-type", "application/json");
      }
      const body = base ? await bodyFromPage(asked, base, fetch, signal) : asked.body;
      let response: Response;
      try {
        const init = { method, headers, body, signal };
        response = await fetch(`${address}/${asked.path}${asked.query}`, init);
      } catch (error) {
        signal.throwIfAborted();
        throw unreachable(address, error as Error, base);
      }
      const { status, statusText } = response;
      const init = { status, statusText, headers: returnedHeaders(response.headers) };
      return new Response(NO_BODY.includes(status) ? null : response.body, init);
    },
  };
}

/** @returns the original bytes, unless an image has to be replaced by a data URL */
async function bodyFromPage(
  { body, json }: UpstreamRequest,
  base: string,
  fetch: typeof globalThis.fetch,
  signal: AbortSignal,
): Promise<ArrayBuffer | string | null> {
  const inlined = json && (await inlinePageImages(json, base, fetch, signal));
  return inlined ? JSON.stringify(inlined) : body;
}

function unreachable(address: string, error: Error, base: string | undefined): OpenAIError {
  const { message, code } = (error.cause ?? error) as Error & { code?: string };
  const page = base && new URL(base).origin;
  const cors = page && page !== new URL(address).origin;
  const advice =
    `The upstream server at ${address} can't be reached: ${message || code}. ` +
    `Start it, or correct its address.` +
    // A page can't distinguish a missing server from one that refuses the page's origin.
    (cors ? ` If it runs, it does not allow pages of ${page} to ask it (CORS).` : "");
  const headers = { "retry-after": "1" };
  return new OpenAIError(502, advice, { code: "upstream_unreachable", headers, cause: error });
}
