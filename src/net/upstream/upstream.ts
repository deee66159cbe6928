import { UNNAMED_TYPE } from "../../openai/context.ts";
import { OpenAIError } from "../../openai/errors.ts";
import { returnedHeaders, sentHeaders } from "./headers.ts";
import { inlinePageImages } from "./page-images.ts";

/** A server with OpenAI's API that answers for the models that are not loaded here. */
export interface UpstreamOptions {
  /**
   * What OpenAI's clients call the base URL: "http://gpu-box:30000/v1". Without a path it is
   * understood with "/v1". In a page it may be relative to the page.
   */
  readonly url: string | URL;
  /**
   * Sent to it as bearer token. What callers send as `Authorization` never is, with or without
   * this. Whoever can read a page's script can read a key in it.
   */
  readonly apiKey?: string | undefined;
  /** The models that it is asked for. By default all but the one that is loaded here. */
  readonly models?: readonly string[] | undefined;
}

/** From where the upstream is asked. */
export interface UpstreamAccess {
  /** How it is reached; by default the global `fetch`. */
  readonly fetch?: typeof fetch;
  /** The page's own URL. Images that only the page can read are read by it then. */
  readonly base?: string;
}

/** A request, with its body read. */
export interface Asked {
  readonly request: Request;
  /** Below "/v1/", with its escapes. */
  readonly path: string;
  /** With its "?", or empty. */
  readonly query: string;
  readonly body: ArrayBuffer | null;
  /** The body, where that is a JSON object. */
  readonly json?: Readonly<Record<string, unknown>> | undefined;
}

export interface Upstream {
  /** Ends without a slash. */
  readonly url: string;
  /**
   * Passes a request on, and the answer back: status, headers and body as they are, but for what
   * belongs to the connection.
   *
   * @param signal the request's own unless given
   * @throws OpenAIError, `upstream_unreachable`, or for an image that the page can't read;
   *   the signal's reason when it is aborted
   */
  ask(asked: Asked, signal?: AbortSignal): Promise<Response>;
}

/** Statuses of answers that have no body. */
const EMPTY = [204, 205, 304];

/** @throws RangeError when the address or the key can't be used */
export function openUpstream({ url, apiKey }: UpstreamOptions, access: UpstreamAccess): Upstream {
  const { base, fetch = (...args) => globalThis.fetch(...args) } = access;
  const address = upstreamUrl(url, base);
  const authorization = apiKey ? bearer(apiKey) : undefined;

  return {
    url: address,

    async ask(asked, signal = asked.request.signal) {
      const { method } = asked.request;
      const headers = sentHeaders(asked.request.headers, authorization);
      // The type of a string, where `fetch` was told none. Here that is taken for JSON.
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
      return new Response(EMPTY.includes(status) ? null : response.body, init);
    },
  };
}

/**
 * @returns the address of the API, without a slash at its end
 * @throws RangeError for what is none
 */
export function upstreamUrl(url: string | URL, base?: string): string {
  let parsed: URL;
  try {
    parsed = new URL(url, base);
  } catch {
    throw new RangeError(`upstream: "${url}" is no URL; expected one such as http://host:30000/v1`);
  }
  const { protocol, origin, pathname, search, hash, username, password } = parsed;
  if (protocol !== "http:" && protocol !== "https:") {
    throw new RangeError(
      `upstream: "${url}" is neither http nor https; expected http://host:30000/v1`,
    );
  }
  if (username || password || search || hash) {
    // Not repeated here: there may be a secret in it.
    throw new RangeError("upstream: its URL has more than host and path; a key is given by itself");
  }
  return origin + (pathname === "/" ? "/v1" : pathname.replace(/\/+$/, ""));
}

/** @throws RangeError, without the key in it */
function bearer(key: string): string {
  if (/^[\x21-\x7e]+$/.test(key)) return `Bearer ${key}`;
  throw new RangeError("upstream: the API key has characters that a header can't have");
}

/** The bytes as they came, unless there are images in it that a server can't read. */
async function bodyFromPage(
  { body, json }: Asked,
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
  const told =
    `The upstream server at ${address} can't be reached: ${message || code}. ` +
    `Start it, or correct its address.` +
    // A browser tells nobody which of the two it was.
    (cors ? ` If it runs, it does not allow pages of ${page} to ask it (CORS).` : "");
  const headers = { "retry-after": "1" };
  return new OpenAIError(502, told, { code: "upstream_unreachable", headers, cause: error });
}
