import { createHash, timingSafeEqual } from "node:crypto";
import { type IncomingMessage, type Server, createServer } from "node:http";
import { isIP } from "node:net";
import type { Readable } from "node:stream";
import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import { cors } from "hono/cors";
import ipaddr from "ipaddr.js";
import { OpenAIError, toOpenAIError } from "../openai/errors.ts";
import { withRequestId } from "../openai/request-id.ts";
import { CODINGS, UnknownCodingError, decoded } from "./content-encoding.ts";

/** Which requests the server accepts. */
export interface HttpServerOptions {
  /** The bearer token that clients must send. Undefined: none. */
  readonly apiKey?: string | undefined;
  /** Origins whose pages may send requests. "*" means all. */
  readonly corsOrigins: readonly string[];
  /** Size limit of a request's body. */
  readonly maxBodyBytes: number;
  /** The address that the server listens on. */
  readonly host: string;
}

/** Paths of SGLang without a prefix, and the paths of ours that they stand for. */
const SGLANG_PATHS: Readonly<Record<string, string>> = {
  "/health": "/v1/health",
  "/tokenize": "/v1/tokenize",
  "/detokenize": "/v1/detokenize",
  "/get_model_info": "/v1/model_info",
  "/model_info": "/v1/model_info",
  "/flush_cache": "/v1/flush_cache",
};

/** Paths that need no key, for supervisors. Their answers reveal only whether a model is loaded. */
const KEYLESS_PATHS = ["/v1/health"];

/** Response headers that pages of other origins may read. */
const EXPOSED_HEADERS = ["x-request-id", "retry-after", "retry-after-ms", "x-should-retry"];

/**
 * Creates an HTTP server in front of a handler. The caller makes it listen. When a client disconnects,
 * the signal of its request aborts.
 */
export function createHttpServer(
  handler: (request: Request) => Promise<Response>,
  options: HttpServerOptions,
): Server {
  const { corsOrigins } = options;
  const app = new Hono<{ Bindings: { incoming: IncomingMessage } }>();
  app.onError((error, { req }) => withRequestId(toOpenAIError(error).toResponse(), req.raw));
  if (corsOrigins.length > 0) {
    const origin = corsOrigins.includes("*") ? "*" : [...corsOrigins];
    app.use(cors({ origin, exposeHeaders: EXPOSED_HEADERS, maxAge: 3600 }));
  }
  app.all("*", async ({ env, req: { raw } }) => {
    checkMethod(env.incoming.method);
    checkOrigin(raw, options);
    checkKey(raw, options);
    const { method, signal } = raw;
    const body =
      method === "GET" || method === "HEAD" ? null : await readBody(env.incoming, options);
    const headers = new Headers(raw.headers);
    headers.delete("content-encoding");
    return handler(new Request(raw.url, { method, headers, body, signal }));
  });
  const listener = getRequestListener(app.fetch, {
    overrideGlobalObjects: false,
    // Requests with an invalid address, or without a host, don't reach the app.
    errorHandler: (error) =>
      withRequestId(new OpenAIError(400, (error as Error).message).toResponse()),
  });
  // Without a host, Node itself would answer, without a body.
  const server = createServer({ requireHostHeader: false }, (incoming, outgoing) => {
    const [path = "", query] = (incoming.url ?? "").split(/(?=\?)/, 2);
    incoming.url = (SGLANG_PATHS[path] ?? path) + (query ?? "");
    void listener(incoming, outgoing);
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.headersTimeout = KEEP_ALIVE_MS + 5000;
  return server;
}

/**
 * Idle connections stay open for longer than the pools of clients and proxies keep them (60 s and
 * less). A server that closes first may do so just as a request is sent.
 */
const KEEP_ALIVE_MS = 75_000;

/**
 * Refuses the methods that `fetch` can't express, so that no handler knows them.
 *
 * @throws OpenAIError 405
 */
function checkMethod(method = "GET"): void {
  if (!["TRACE", "TRACK", "CONNECT"].includes(method.toUpperCase())) return;
  const allow = "GET, HEAD, POST, DELETE";
  const message = `This server does not support ${method}. Supported: ${allow}.`;
  throw new OpenAIError(405, message, { headers: { allow } });
}

/**
 * Keeps pages of other origins from using a server on this machine or in its network. Their requests
 * carry their origin, or the host name that the page gave to this machine's address.
 *
 * @throws OpenAIError 403
 */
function checkOrigin({ headers }: Request, { corsOrigins, host }: HttpServerOptions): void {
  const origin = headers.get("origin");
  const requested = headers.get("host") ?? "";
  const own = origin === `http://${requested}` || origin === `https://${requested}`;
  const allowed = corsOrigins.includes("*") || (origin && corsOrigins.includes(origin));
  if (origin && !own && !allowed) {
    throw new OpenAIError(
      403,
      `Pages of ${origin} may not use this server; to allow it, start it with --cors-origin ${origin}.`,
      { code: "origin_not_allowed" },
    );
  }
  if (!isLoopback(host) || allowed) return;
  const name = requested.replace(/:\d*$/, "").replace(/^\[|\]$/g, "");
  if (name === "" || isLoopback(name.toLowerCase())) return;
  throw new OpenAIError(
    403,
    `This server answers for ${host}, not for ${name}; start it with --host 0.0.0.0 to allow any name.`,
    { code: "host_not_allowed" },
  );
}

/** @returns whether a name or address is a loopback one: only this machine reaches it */
export function isLoopback(host: string): boolean {
  if (!isIP(host)) return host === "localhost" || host.endsWith(".localhost");
  return ipaddr.process(host).range() === "loopback";
}

/**
 * Not `hono/bearer-auth`: that accepts no key with characters such as ":" or "ü", and answers a
 * malformed header with 400 instead of 401.
 *
 * @throws OpenAIError 401
 */
function checkKey({ url, headers }: Request, { apiKey }: HttpServerOptions): void {
  if (apiKey === undefined || KEYLESS_PATHS.includes(new URL(url).pathname)) return;
  const [, given] = /^Bearer +(.*)$/i.exec(headers.get("authorization") ?? "") ?? [];
  // Digests have one length, so that the comparison takes the same time for every key.
  if (given !== undefined && timingSafeEqual(digest(given), digest(apiKey))) return;
  const message =
    given === undefined
      ? "This server requires an API key. Send it as Authorization: Bearer <key>."
      : "Incorrect API key provided.";
  throw new OpenAIError(401, message, {
    code: "invalid_api_key",
    headers: { "www-authenticate": "Bearer" },
  });
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/**
 * Not `hono/body-limit`: that copies a request with a chunked body, which works only if the server
 * replaces the global `Request`.
 *
 * @returns the body without its content encoding
 * @throws OpenAIError 413 for a body that is too large, whose rest is not read then; 415 for an unknown
 *   content encoding; 400 for a body that does not have it
 */
async function readBody(
  incoming: IncomingMessage,
  { maxBodyBytes }: HttpServerOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = new OpenAIError(413, `The body is larger than ${maxBodyBytes} bytes.`, {
    code: "body_too_large",
    headers: { connection: "close" },
  });
  if (Number(incoming.headers["content-length"] ?? 0) > maxBodyBytes) throw tooLarge;
  const coding = incoming.headers["content-encoding"];
  const body = decodedBody(incoming, coding);
  const parts: Buffer[] = [];
  let size = 0;
  try {
    // By default, leaving the loop early destroys the connection, so the client would get no answer.
    for await (const part of body.iterator({ destroyOnReturn: false })) {
      size += (part as Buffer).length;
      if (size > maxBodyBytes) throw tooLarge;
      parts.push(part as Buffer);
    }
  } catch (cause) {
    if (cause instanceof OpenAIError || body === incoming) throw cause;
    const message = `The body can't be decoded as ${coding}: ${(cause as Error).message}.`;
    throw new OpenAIError(400, message, { cause });
  }
  return new Uint8Array(Buffer.concat(parts));
}

/** @throws OpenAIError 415 for an unknown content encoding */
function decodedBody(incoming: IncomingMessage, coding: string | undefined): Readable {
  try {
    return decoded(incoming, coding);
  } catch (cause) {
    if (!(cause instanceof UnknownCodingError)) throw cause;
    throw new OpenAIError(415, `A body can't be read: ${cause.message}. Supported: ${CODINGS}.`, {
      headers: { "accept-encoding": CODINGS },
      cause,
    });
  }
}
