import type { Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { afterEach, describe, expect, test, vi } from "vitest";
import { type HttpServerOptions, createHttpServer } from "./http-server.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

/** @returns the address of a server in front of `handler` */
async function start(
  handler: (request: Request) => Promise<Response>,
  options: Partial<HttpServerOptions> = {},
): Promise<string> {
  const server = createHttpServer(handler, {
    ...{ corsOrigins: [], maxBodyBytes: 1000, host: "127.0.0.1" },
    ...options,
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** @returns a promise, and the function that resolves it */
function event(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((happened) => (resolve = happened));
  return { promise, resolve };
}

/** Echoes the request. */
const echo = async (request: Request): Promise<Response> => {
  const { pathname, search } = new URL(request.url);
  const body = request.body && (await request.text());
  return Response.json({ method: request.method, path: pathname + search, body });
};

/** Sends raw text. Resolves with everything that the server sends until the connection ends. */
function sendRaw(url: string, text: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect(Number(new URL(url).port), "127.0.0.1", () => socket.end(text));
    socket.on("data", (data) => (answer += data));
    socket.on("error", () => {});
    socket.on("close", () => resolve(answer));
  });
}

test("passes method, path, query and body to the handler", async () => {
  const url = await start(echo);
  const posted = await fetch(`${url}/v1/x?y=1`, { method: "POST", body: "größer" });
  expect(await posted.json()).toEqual({ method: "POST", path: "/v1/x?y=1", body: "größer" });
  expect(await (await fetch(`${url}/v1/x`)).json()).toMatchObject({ method: "GET", body: null });
});

test.each([
  ["/health", "/v1/health"],
  ["/tokenize?a=b", "/v1/tokenize?a=b"],
  ["/detokenize", "/v1/detokenize"],
  ["/get_model_info", "/v1/model_info"],
  ["/model_info", "/v1/model_info"],
  ["/flush_cache", "/v1/flush_cache"],
  ["/other", "/other"],
])("%s is served as %s", async (asked, path) => {
  const url = await start(echo);
  expect(await (await fetch(url + asked)).json()).toMatchObject({ path });
});

describe("the API key", () => {
  const options = { apiKey: "sesame" };
  const ask = (url: string, authorization?: string) =>
    fetch(`${url}/v1/models`, { headers: authorization ? { authorization } : {} });

  test("is accepted", async () => {
    const url = await start(echo, options);
    expect((await ask(url, "Bearer sesame")).status).toBe(200);
    expect((await ask(url, "bearer sesame")).status).toBe(200);
  });

  test.each([undefined, "Bearer", "Bearer ", "Bearer sesam", "Bearer sesame2", "Basic sesame"])(
    "%j is rejected",
    async (authorization) => {
      const handler = vi.fn(echo);
      const response = await ask(await start(handler, options), authorization);
      expect(response.status).toBe(401);
      expect(response.headers.get("x-should-retry")).toBe("false");
      const { error } = (await response.json()) as { error: object };
      const type = "invalid_request_error";
      expect(error).toMatchObject({ type, param: null, code: "invalid_api_key" });
      expect(handler).not.toHaveBeenCalled();
    },
  );

  test("is not needed for /health", async () => {
    const url = await start(echo, options);
    expect((await fetch(`${url}/health`)).status).toBe(200);
    expect((await fetch(`${url}/v1/health`)).status).toBe(200);
  });
});

describe("pages of other origins", () => {
  const origin = "https://app.example";
  const preflight = (url: string) =>
    fetch(`${url}/v1/chat/completions`, {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,x-stainless-lang",
      },
    });

  test.each([[[origin]], [["*"]], [["https://other.example", origin]]])(
    "%j allows them",
    async (corsOrigins) => {
      const url = await start(echo, { corsOrigins, apiKey: "sesame" });
      const options = await preflight(url);
      const allowed = corsOrigins.includes("*") ? "*" : origin;
      expect(options.status).toBe(204);
      expect(options.headers.get("access-control-allow-origin")).toBe(allowed);
      const methods = options.headers.get("access-control-allow-methods")?.split(",");
      // DELETE deletes a stored response.
      expect(methods).toEqual(expect.arrayContaining(["GET", "POST", "DELETE"]));
      expect(options.headers.get("access-control-allow-headers")).toContain("x-stainless-lang");

      const headers = { origin, authorization: "Bearer sesame" };
      const response = await fetch(`${url}/v1/models`, { headers });
      expect(response.status).toBe(200);
      expect(response.headers.get("access-control-allow-origin")).toBe(allowed);
      const exposed = response.headers.get("access-control-expose-headers");
      for (const name of ["x-request-id", "retry-after", "retry-after-ms", "x-should-retry"]) {
        expect(exposed).toContain(name);
      }
      // A page must be able to read why it was refused.
      const refused = await fetch(`${url}/v1/models`, { headers: { origin } });
      expect(refused.status).toBe(401);
      expect(refused.headers.get("access-control-allow-origin")).toBe(allowed);
    },
  );

  test.each([[[]], [["https://other.example"]]])("%j rejects them", async (corsOrigins) => {
    const handler = vi.fn(echo);
    const url = await start(handler, { corsOrigins });
    const response = await fetch(`${url}/v1/models`, { headers: { origin } });
    expect(response.status).toBe(403);
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
    const { error } = (await response.json()) as { error: { code: string; message: string } };
    expect(error.code).toBe("origin_not_allowed");
    expect(error.message).toContain(`--cors-origin ${origin}`);
    expect(handler).not.toHaveBeenCalled();
  });

  test("a page of the server's own origin is allowed", async () => {
    const url = await start(echo);
    expect((await fetch(`${url}/v1/models`, { headers: { origin: url } })).status).toBe(200);
  });
});

describe("the Host header", () => {
  const ask = async (host: string, options: Partial<HttpServerOptions>) => {
    const url = await start(echo, options);
    return sendRaw(url, `GET /health HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  };

  test.each(["localhost:1", "127.0.0.1", "[::1]:30000", "a.localhost"])(
    "%s is a name of this machine",
    async (host) => {
      expect(await ask(host, {})).toMatch(/^HTTP\/1.1 200/);
    },
  );

  test("another name, which a page could point to this machine, is rejected", async () => {
    expect(await ask("evil.example", {})).toMatch(/^HTTP\/1.1 403[^]*host_not_allowed/);
  });

  test("any name is accepted if the server listens beyond loopback", async () => {
    expect(await ask("vlm.example", { host: "0.0.0.0" })).toMatch(/^HTTP\/1.1 200/);
  });
});

describe("a body", () => {
  const post = (url: string, body: BodyInit) =>
    fetch(`${url}/v1/x`, { method: "POST", body, duplex: "half" } as RequestInit);
  const chunked = (size: number) => new Blob([new Uint8Array(size)]).stream();

  test("up to the limit is accepted", async () => {
    const url = await start(echo);
    expect((await post(url, "x".repeat(1000))).status).toBe(200);
    expect((await post(url, chunked(1000))).status).toBe(200);
  });

  test.each([
    ["with a content-length", () => "x".repeat(1001)],
    ["in chunks", () => chunked(1001)],
  ])("%s beyond the limit gets a 413", async (_, body) => {
    const handler = vi.fn(echo);
    const url = await start(handler);
    const response = await post(url, body());
    expect(response.status).toBe(413);
    const { error } = (await response.json()) as { error: object };
    expect(error).toMatchObject({ type: "invalid_request_error", code: "body_too_large" });
    expect(handler).not.toHaveBeenCalled();
  });
});

describe("a client that disconnects", () => {
  test("before the answer aborts its request", async () => {
    const aborted = event();
    const begun = event();
    const url = await start(({ signal }) => {
      signal.addEventListener("abort", () => aborted.resolve());
      begun.resolve();
      return new Promise(() => {});
    });
    const client = new AbortController();
    const left = fetch(`${url}/v1/x`, { method: "POST", body: "{}", signal: client.signal });
    await begun.promise;
    client.abort();
    await expect(left).rejects.toThrow("aborted");
    await aborted.promise;
  });

  test("in mid-stream aborts its request and cancels the stream", async () => {
    const aborted = event();
    const cancelled = event();
    const url = await start(async ({ signal }) => {
      signal.addEventListener("abort", () => aborted.resolve());
      let count = 0;
      const stream = new ReadableStream<Uint8Array>({
        async pull(controller) {
          await new Promise((resolve) => setTimeout(resolve, 1));
          controller.enqueue(new TextEncoder().encode(`data: ${count++}\n\n`));
        },
        cancel: () => cancelled.resolve(),
      });
      return new Response(stream, { headers: { "content-type": "text/event-stream" } });
    });
    const client = new AbortController();
    const { signal } = client;
    const { body } = await fetch(`${url}/v1/x`, { method: "POST", body: "{}", signal });
    const reader = (body as ReadableStream<Uint8Array>).getReader();
    // The first event arrives while the handler still writes.
    expect(new TextDecoder().decode((await reader.read()).value)).toContain("data: 0\n\n");
    client.abort();
    await Promise.all([aborted.promise, cancelled.promise]);
  });
});

test("invalid HTTP gets a 400, and the next request is answered", async () => {
  const url = await start(echo);
  expect(await sendRaw(url, "NONSENSE\r\n\r\n")).toMatch(/^HTTP\/1.1 400/);
  expect(await sendRaw(url, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n")).toMatch(/^HTTP\/1.1 400/);
  expect((await fetch(`${url}/v1/x`)).status).toBe(200);
});

test("an error of the handler becomes OpenAI's error body", async () => {
  const url = await start(() => Promise.reject(new Error("it broke")));
  const response = await fetch(`${url}/v1/x`);
  expect(response.status).toBe(500);
  expect(await response.json()).toMatchObject({ error: { message: "it broke" } });
});

describe("x-request-id", () => {
  const idOf = async (response: Promise<Response>): Promise<string | null> =>
    (await response).headers.get("x-request-id");

  test("is the one of the handler", async () => {
    const url = await start(async () => new Response("", { headers: { "x-request-id": "req_1" } }));
    expect(await idOf(fetch(`${url}/v1/x`))).toBe("req_1");
  });

  test("is present when the server itself rejects", async () => {
    const url = await start(() => Promise.reject(new Error("it broke")), { apiKey: "sesame" });
    const headers = { authorization: "Bearer sesame", "x-request-id": "req_mine" };
    const body = "x".repeat(1001);
    expect(await idOf(fetch(`${url}/v1/x`))).toMatch(/^req_[0-9a-f]{32}$/); // 401
    expect(await idOf(fetch(`${url}/v1/x`, { headers }))).toBe("req_mine"); // 500
    expect(await idOf(fetch(`${url}/v1/x`, { headers, method: "POST", body }))).toBe("req_mine");
    const origin = "https://other.example";
    expect(await idOf(fetch(`${url}/v1/x`, { headers: { ...headers, origin } }))).toBe("req_mine");
    const noHost = await sendRaw(url, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n");
    expect(noHost).toMatch(/^x-request-id: req_/m);
  });
});

describe("HTTP", () => {
  test("TRACE is refused with the methods that are not", async () => {
    const url = await start(echo);
    const answer = await sendRaw(url, "TRACE /v1/x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1.1 405 /);
    expect(answer).toMatch(/\r\nallow: GET, HEAD, POST, DELETE\r\n/i);
    expect(answer).toContain('"type":"invalid_request_error"');
  });

  test("a request without a host gets an error body", async () => {
    const answer = await sendRaw(await start(echo), "GET /v1/x HTTP/1.1\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    expect(answer).toContain('"type":"invalid_request_error"');
  });

  test("idle connections stay open for longer than clients keep them", async () => {
    const response = await fetch(`${await start(echo)}/v1/x`);
    expect(response.headers.get("keep-alive")).toBe("timeout=75");
  });
});

describe("a body with a content encoding", () => {
  const post = async (coding: string, body: Uint8Array) =>
    fetch(`${await start(echo)}/v1/x`, {
      method: "POST",
      headers: { "content-encoding": coding },
      body: new Uint8Array(body),
    });
  const text = Buffer.from("größer");

  test.each([
    ["gzip", gzipSync(text)],
    ["x-gzip", gzipSync(text)],
    ["deflate", deflateSync(text)],
    ["br", brotliCompressSync(text)],
    ["gzip, br", brotliCompressSync(gzipSync(text))],
    ["identity", text],
  ])("%s is decoded", async (coding, body) => {
    expect(await (await post(coding, body)).json()).toMatchObject({ body: "größer" });
  });

  test("an unknown one is refused by name", async () => {
    const response = await post("zstd", text);
    expect(response.status).toBe(415);
    expect(response.headers.get("accept-encoding")).toBe("gzip, deflate, br");
    expect(await response.text()).toContain("zstd");
  });

  test("another content is refused", async () => {
    const response = await post("gzip", text);
    expect(response.status).toBe(400);
    expect(await response.text()).toContain("can't be decoded as gzip");
  });

  test("its size counts decoded", async () => {
    expect((await post("gzip", gzipSync(Buffer.alloc(100_000)))).status).toBe(413);
  });
});
