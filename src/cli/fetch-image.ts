import { type LookupAddress, type LookupAllOptions, lookup as lookUp } from "node:dns";
import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { LookupFunction } from "node:net";
import { Readable } from "node:stream";
import ipaddr from "ipaddr.js";
import { decoded } from "./content-encoding.ts";
import { packageVersion } from "./package-version.ts";

/** The network addresses that images may be fetched from. Public addresses are always allowed. */
export interface AllowedAddresses {
  /** This machine's own addresses, such as 127.0.0.1. */
  readonly loopback: boolean;
  /** All addresses, including private and link-local ones. */
  readonly all: boolean;
}

const MAX_REDIRECTS = 5;

/** Large sites answer 403 to requests that don't name their client. */
const HEADERS = {
  accept: "image/*,*/*;q=0.8",
  "accept-encoding": "identity",
  "user-agent": `webvlm/${packageVersion()} (image fetcher)`,
};

/** An address or URL that is not allowed. */
class RefusedError extends Error {
  override name = "RefusedError";
}

/** The type of `dns.lookup` for all addresses of a name. */
export type Resolve = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/**
 * Creates a `fetch` for the image URLs of clients. It connects to allowed addresses only, also after
 * redirects, and also if a name resolves to another address a moment later. So clients can't use this
 * server to read from addresses that only the server can reach.
 *
 * @throws Error, from the returned function, for a URL that is not allowed or can't be read; the
 *   message says what to do. The signal's reason when it aborts.
 */
export function imageFetch(allowed: AllowedAddresses, resolve: Resolve = lookUp): typeof fetch {
  const lookup = checkedLookup(allowed, resolve);
  return async (input, init) => {
    const request = new Request(input, init);
    let url = new URL(request.url);
    for (let redirects = 0; ; redirects++) {
      const response = await get(url, allowed, lookup, request.signal);
      const { statusCode: status = 0, headers } = response;
      if (![301, 302, 303, 307, 308].includes(status) || !headers.location) {
        return toResponse(response);
      }
      response.destroy();
      if (redirects === MAX_REDIRECTS) throw new Error("its server redirects too often");
      url = new URL(headers.location, url);
    }
  };
}

function get(
  url: URL,
  allowed: AllowedAddresses,
  lookup: LookupFunction,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { protocol, hostname } = url;
    if (protocol !== "http:" && protocol !== "https:") {
      throw new RefusedError(`${protocol} URLs are not allowed; send the image as a data: URL`);
    }
    // Node calls `lookup` for names only, so a literal address is checked here.
    const literal = hostname.replace(/^\[|\]$/g, "");
    if (ipaddr.isValid(literal)) check(literal, literal, allowed);
    const start = protocol === "http:" ? requestHttp : requestHttps;
    const headers = { ...HEADERS };
    // A new connection: an existing one may have been opened after another check.
    const options = { headers, signal, agent: false, lookup };
    const request = start(url, options, resolve);
    request.on("error", (error) => reject(signal.aborted ? signal.reason : withAdvice(url, error)));
    request.end();
  });
}

/** Resolves a name. Fails if any of its addresses is not allowed. */
function checkedLookup(allowed: AllowedAddresses, resolve: Resolve): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      const [first] = addresses ?? [];
      if (error || !first) return callback(error ?? new Error("no address"), []);
      try {
        for (const { address } of addresses) check(address, hostname, allowed);
      } catch (refused) {
        return callback(refused as Error, []);
      }
      if (options.all) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}

/** @throws RefusedError */
function check(address: string, host: string, allowed: AllowedAddresses): void {
  // An IPv4 address that is mapped to IPv6 counts as IPv4.
  const range = ipaddr.process(address.replace(/%.*$/, "")).range();
  if (allowed.all || range === "unicast" || (allowed.loopback && range === "loopback")) return;
  const named = host === address ? address : `${host} (${address})`;
  throw new RefusedError(
    `${named} is not a public address, and this server fetches images from public addresses only; ` +
      `send the image as a data: URL, or start the server with --allow-private-images`,
  );
}

function withAdvice(url: URL, error: NodeJS.ErrnoException): Error {
  if (error instanceof RefusedError) return error;
  const advice = "check its url, or send the image as a data: URL";
  const why = error.code === "ENOTFOUND" ? `the host ${url.hostname} was not found` : error.message;
  return new Error(`${why || error.code}; ${advice}`, { cause: error });
}

function toResponse(message: IncomingMessage): Response {
  const { statusCode: status = 502, headers } = message;
  const type = headers["content-type"];
  // Only the type matters to the caller. A 204 or 304 has no body, so it is an error here.
  const init = { status: status === 204 || status === 304 ? 502 : status };
  // Some servers compress although they were asked not to.
  const decodedBody = decoded(message, headers["content-encoding"]);
  const body = Readable.toWeb(decodedBody) as ReadableStream<Uint8Array>;
  return new Response(body, { ...init, headers: type ? { "content-type": type } : {} });
}
