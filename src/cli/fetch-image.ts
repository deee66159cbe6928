import { type LookupAddress, type LookupAllOptions, lookup as lookUp } from "node:dns";
import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { LookupFunction } from "node:net";
import { Readable } from "node:stream";
import ipaddr from "ipaddr.js";

/** Which addresses of a network images may be read from. */
export interface AllowedAddresses {
  /** This machine's own: 127.0.0.1 and the like. */
  readonly loopback: boolean;
  /** All, private and link-local ones too. */
  readonly all: boolean;
}

const MAX_REDIRECTS = 5;

/** Passed on as the reason why an image can't be read. */
class RefusedError extends Error {
  override name = "RefusedError";
}

/** As `dns.lookup`, for all addresses of a name. */
export type Resolve = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/**
 * A `fetch` for images that clients name by URL. It connects to addresses that are allowed and to
 * no others, whatever a name resolves to a moment later, and wherever a redirect points. That keeps
 * clients from reading through the server what only the server can reach.
 *
 * @throws Error saying what to do, when a URL is refused or can't be read; the signal's reason
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
      throw new RefusedError(`${protocol} URLs are not read; send it as a data: URL`);
    }
    // Node looks up names only: addresses are connected to as they are.
    const literal = hostname.replace(/^\[|\]$/g, "");
    if (ipaddr.isValid(literal)) check(literal, literal, allowed);
    const start = protocol === "http:" ? requestHttp : requestHttps;
    const headers = { accept: "image/*", "accept-encoding": "identity" };
    // A connection of its own, so that none is reused that was checked otherwise.
    const options = { headers, signal, agent: false, lookup };
    const request = start(url, options, resolve);
    request.on("error", (error) => reject(signal.aborted ? signal.reason : explained(url, error)));
    request.end();
  });
}

/** Resolves a name, and fails when any of its addresses is refused: only one of them is used. */
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
  // An IPv4 address in IPv6 clothes is what it stands for.
  const range = ipaddr.process(address.replace(/%.*$/, "")).range();
  if (allowed.all || range === "unicast" || (allowed.loopback && range === "loopback")) return;
  const named = host === address ? address : `${host} (${address})`;
  throw new RefusedError(
    `${named} is no public address, and this server reads images from those only; ` +
      `send the image as a data: URL, or start the server with --allow-private-images`,
  );
}

function explained(url: URL, error: NodeJS.ErrnoException): Error {
  if (error instanceof RefusedError) return error;
  const advice = "check its url, or send the image as a data: URL";
  const why = error.code === "ENOTFOUND" ? `nobody knows ${url.hostname}` : error.message;
  return new Error(`${why || error.code}; ${advice}`, { cause: error });
}

function toResponse(message: IncomingMessage): Response {
  const { statusCode: status = 502, headers } = message;
  const type = headers["content-type"];
  // Only what the caller looks at; a body of 204 or 304 would not be one.
  const init = { status: status === 204 || status === 304 ? 502 : status };
  const body = Readable.toWeb(message) as ReadableStream<Uint8Array>;
  return new Response(body, { ...init, headers: type ? { "content-type": type } : {} });
}
