/** A server with OpenAI's API that answers for models that are not loaded here. */
export interface UpstreamOptions {
  /**
   * The base URL of OpenAI's clients: "http://gpu-box:30000/v1". A URL without a path gets "/v1". In
   * a page it may be relative to the page.
   */
  readonly url: string | URL;
  /**
   * The bearer token for the upstream. The callers' own `Authorization` is never passed on. A key in
   * a page's script can be read by every visitor.
   */
  readonly apiKey?: string | undefined;
  /** The models that the upstream is asked for. Default: all but the one that is loaded here. */
  readonly models?: readonly string[] | undefined;
}

/**
 * @returns the address of the API, without a slash at its end
 * @throws RangeError for an invalid address
 */
export function upstreamUrl(url: string | URL, base?: string): string {
  let parsed: URL;
  try {
    parsed = new URL(url, base);
  } catch {
    throw new RangeError(
      `upstream: "${url}" is not a URL; expected one such as http://host:30000/v1`,
    );
  }
  const { protocol, origin, pathname, search, hash, username, password } = parsed;
  if (protocol !== "http:" && protocol !== "https:") {
    throw new RangeError(
      `upstream: "${url}" is neither http nor https; expected http://host:30000/v1`,
    );
  }
  if (username || password || search || hash) {
    // The message leaves the URL out: it may contain a secret.
    throw new RangeError("upstream: its URL has more than host and path; pass a key as `apiKey`");
  }
  return origin + (pathname === "/" ? "/v1" : pathname.replace(/\/+$/, ""));
}

/** @throws RangeError whose message leaves the key out */
export function bearer(key: string): string {
  if (/^[\x21-\x7e]+$/.test(key)) return `Bearer ${key}`;
  throw new RangeError("upstream: the API key has characters that are not allowed in a header");
}

/** @throws RangeError when the address or the key is invalid */
export function checkUpstream({ url, apiKey }: UpstreamOptions, base?: string): void {
  upstreamUrl(url, base);
  if (apiKey) bearer(apiKey);
}
