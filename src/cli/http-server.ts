import { createHash, timingSafeEqual } from "node:crypto";
import { type IncomingMessage, type Server, createServer } from "node:http";
import { isIP } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import { cors } from "hono/cors";
import ipaddr from "ipaddr.js";
import { OpenAIError, toOpenAIError } from "../openai/errors.ts";
import { withRequestId } from "../openai/request-id.ts";

/** Who may ask, from where, and how much at once. */
export interface HttpServerOptions {
  /** What clients must send as bearer token; undefined asks for none. */
  readonly apiKey?: string | undefined;
  /** Origins whose pages may ask; "*" is all. */
  readonly corsOrigins: readonly string[];
  readonly maxBodyBytes: number;
  /** The address that the server listens on. */
  readonly host: string;
}

/** SGLang's spellings without a prefix, and the paths that they stand for. */
const SPELLINGS: Readonly<Record<string, string>> = {
  "/health": "/v1/health",
  "/tokenize": "/v1/tokenize",
  "/detokenize": "/v1/detokenize",
  "/get_model_info": "/v1/model_info",
  "/model_info": "/v1/model_info",
  "/flush_cache": "/v1/flush_cache",
};

/** Tells whether it lives, and nothing else: so a supervisor needs no key. */
const OPEN_PATHS = ["/v1/health"];

/** What pages of other origins may read beside the body. */
const EXPOSED_HEADERS = ["x-request-id", "retry-after", "retry-after-ms", "x-should-retry"];

/**
 * An HTTP server in front of a handler of OpenAI's API; the caller lets it listen. A client that
 * leaves aborts its request's signal.
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
    checkOrigin(raw, options);
    checkKey(raw, options);
    const { method, headers, signal } = raw;
    const body =
      method === "GET" || method === "HEAD" ? null : await readBody(env.incoming, options);
    return handler(new Request(raw.url, { method, headers, body, signal }));
  });
  const listener = getRequestListener(app.fetch, {
    overrideGlobalObjects: false,
    // A request without a usable address does not get as far as the app.
    errorHandler: (error) =>
      withRequestId(new OpenAIError(400, (error as Error).message).toResponse()),
  });
  return createServer((incoming, outgoing) => {
    const [path = "", query] = (incoming.url ?? "").split(/(?=\?)/, 2);
    incoming.url = (SPELLINGS[path] ?? path) + (query ?? "");
    void listener(incoming, outgoing);
  });
}

/**
 * Keeps pages of other origins from using a server that only listens on this machine, or in its
 * network: their requests carry an origin, or the name under which they reached it.
 *
 * @throws OpenAIError, 403
 */
function checkOrigin({ headers }: Request, { corsOrigins, host }: HttpServerOptions): void {
  const origin = headers.get("origin");
  const asked = headers.get("host") ?? "";
  const own = origin === `http://${asked}` || origin === `https://${asked}`;
  const allowed = corsOrigins.includes("*") || (origin && corsOrigins.includes(origin));
  if (origin && !own && !allowed) {
    throw new OpenAIError(
      403,
      `Pages of ${origin} may not ask this server; start it with --cors-origin ${origin} to let them.`,
      { code: "origin_not_allowed" },
    );
  }
  if (!isLoopback(host) || allowed) return;
  const name = asked.replace(/:\d*$/, "").replace(/^\[|\]$/g, "");
  if (name === "" || isLoopback(name.toLowerCase())) return;
  throw new OpenAIError(
    403,
    `This server answers as ${host}, not as ${name}; start it with --host 0.0.0.0 to serve it.`,
    { code: "host_not_allowed" },
  );
}

/** @returns whether a name or address is this machine's own */
export function isLoopback(host: string): boolean {
  if (!isIP(host)) return host === "localhost" || host.endsWith(".localhost");
  return ipaddr.process(host).range() === "loopback";
}

/** @throws OpenAIError, 401 */
function checkKey({ url, headers }: Request, { apiKey }: HttpServerOptions): void {
  if (apiKey === undefined || OPEN_PATHS.includes(new URL(url).pathname)) return;
  const [, given] = /^Bearer +(.*)$/i.exec(headers.get("authorization") ?? "") ?? [];
  // Digests are of one length, so that comparing takes as long for any key.
  if (given !== undefined && timingSafeEqual(digest(given), digest(apiKey))) return;
  const message =
    given === undefined
      ? "This server wants an API key: send it as Authorization: Bearer <key>."
      : "Incorrect API key provided.";
  throw new OpenAIError(401, message, {
    code: "invalid_api_key",
    headers: { "www-authenticate": "Bearer" },
  });
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/** @throws OpenAIError, 413: what is too large is not read to its end */
async function readBody(
  incoming: IncomingMessage,
  { maxBodyBytes }: HttpServerOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = new OpenAIError(413, `The body is larger than ${maxBodyBytes} bytes.`, {
    code: "body_too_large",
    headers: { connection: "close" },
  });
  if (Number(incoming.headers["content-length"] ?? 0) > maxBodyBytes) throw tooLarge;
  const parts: Buffer[] = [];
  let size = 0;
  // Leaving the loop early would destroy the connection, and the answer with it.
  for await (const part of incoming.iterator({ destroyOnReturn: false })) {
    size += (part as Buffer).length;
    if (size > maxBodyBytes) throw tooLarge;
    parts.push(part as Buffer);
  }
  return new Uint8Array(Buffer.concat(parts));
}
