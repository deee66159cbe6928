import { beforeEach, describe, expect, test, vi } from "vitest";
import type { LoadedModel } from "../../runtime/loaded-model.ts";
import type { UpstreamOptions } from "./address.ts";
import type { UpstreamAccess } from "./upstream.ts";
import { withUpstream } from "./with-upstream.ts";

const URL_ = "http://upstream.test:30000/v1";

/** The requests that reached the upstream, and its answer. */
let asked: { method: string; url: string; headers: Headers; body: string }[];
let answer: (request: Request) => Response | Promise<Response>;
/** The requests that reached the local model. */
let local: string[];

beforeEach(() => {
  asked = [];
  local = [];
  answer = () => Response.json({ from: "upstream" });
});

const upstreamFetch: typeof fetch = async (input, init) => {
  const request = new Request(input, init);
  const { method, url, headers } = request;
  asked.push({ method, url, headers, body: await request.clone().text() });
  return answer(request);
};

type LocalModel = Pick<LoadedModel, "id" | "fetch">;

const localModel: LocalModel = {
  id: "org/here",
  async fetch(request, url = request.url) {
    const { pathname } = new URL(url);
    local.push(`${request.method} ${pathname} ${await request.text()}`.trim());
    if (pathname === "/v1/models" && request.method === "GET") {
      return Response.json({ object: "list", data: [{ id: "org/here", owned_by: "webvlm" }] });
    }
    if (/^\/v1\/responses\/(?!resp_here)/.test(pathname)) {
      return Response.json({ error: { message: "not found here" } }, { status: 404 });
    }
    return Response.json({ from: "here" });
  },
};

interface Setup extends Partial<UpstreamOptions> {
  readonly local?: LocalModel | undefined;
  readonly access?: UpstreamAccess;
}

function handler({ access, ...setup }: Setup = {}) {
  const here = "local" in setup ? setup.local : localModel;
  return withUpstream(here, { url: URL_, ...setup }, { fetch: upstreamFetch, ...access });
}

function request(path: string, init: RequestInit = {}): Request {
  return new Request(`http://page.test${path}`, init);
}

function post(body: unknown, headers: HeadersInit = {}, path = "/v1/chat/completions"): Request {
  const given = { "content-type": "application/json", ...headers };
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return request(path, { method: "POST", headers: given, body: text });
}

const from = async (response: Response | Promise<Response>): Promise<unknown> =>
  ((await (await response).json()) as { from: unknown }).from;

describe("which side answers", () => {
  test.each([
    ["its id", { model: "org/here" }, "here"],
    ["default", { model: "default" }, "here"],
    ["no model", {}, "here"],
    ["null", { model: null }, "here"],
    ["what is no name", { model: 7 }, "here"],
    ["another model", { model: "org/there" }, "upstream"],
    ["part of its id", { model: "here" }, "upstream"],
  ])("a request for %s", async (_, body, expected) => {
    expect(await from(handler()(post(body)))).toBe(expected);
  });

  test.each(["not JSON", "[1]", '"org/there"', ""])("the local side rejects %j", async (body) => {
    expect(await from(handler()(post(body)))).toBe("here");
    expect(local).toEqual([`POST /v1/chat/completions ${body}`.trim()]);
  });

  test("every path with a model in its body, also unknown paths", async () => {
    for (const path of ["completions", "responses", "tokenize", "detokenize", "embeddings"]) {
      expect(await from(handler()(post({ model: "org/there" }, {}, `/v1/${path}`)))).toBe(
        "upstream",
      );
      expect(await from(handler()(post({ model: "default" }, {}, `/v1/${path}`)))).toBe("here");
    }
    expect(asked.map(({ url }) => url)).toContain(`${URL_}/embeddings`);
  });

  test.each([
    ["GET", "/v1/health"],
    ["GET", "/v1/model_info"],
    ["POST", "/v1/flush_cache"],
    ["GET", "/v1/nothing"],
    ["GET", "/other"],
    ["DELETE", "/v1/models"],
  ])("%s %s is local", async (method, path) => {
    expect(await from(handler()(request(path, { method })))).toBe("here");
    expect(asked).toEqual([]);
  });

  test("if models are listed, the upstream gets only those", async () => {
    const handle = handler({ models: ["org/there", "org/here"] });
    expect(await from(handle(post({ model: "org/there" })))).toBe("upstream");
    expect(await from(handle(post({ model: "org/here" })))).toBe("here");
    const refused = await handle(post({ model: "org/else" }));
    expect(refused.status).toBe(404);
    expect((await refused.json()).error).toMatchObject({
      code: "model_not_found",
      param: "model",
      message: expect.stringMatching(/'org\/else'.*'org\/here', 'org\/there'/),
    });
    expect(asked).toHaveLength(1);
  });

  test("a body reaches the local model unchanged", async () => {
    const body = `{ "model": "default", "seed": 12345678901234567890, "text": "größer" }`;
    await handler()(post(body));
    expect(local).toEqual([`POST /v1/chat/completions ${body}`]);
  });
});

describe("a stored response", () => {
  test.each(["GET", "DELETE"])("%s reaches the side that made it", async (method) => {
    const ask = (path: string) => from(handler()(request(`/v1/responses/${path}`, { method })));
    expect(await ask("resp_here1")).toBe("here");
    expect(asked).toEqual([]);
    expect(await ask("resp_there?stream=true&starting_after=3")).toBe("upstream");
    expect(await ask("resp_there/input_items?limit=3")).toBe("upstream");
    expect(asked.map(({ method, url }) => [method, url])).toEqual([
      [method, `${URL_}/responses/resp_there?stream=true&starting_after=3`],
      [method, `${URL_}/responses/resp_there/input_items?limit=3`],
    ]);
  });

  test("that neither has gets the upstream's error", async () => {
    answer = () => Response.json({ error: { message: "not there" } }, { status: 404 });
    const response = await handler()(request("/v1/responses/resp_x"));
    expect([response.status, await response.json()]).toEqual([
      404,
      { error: { message: "not there" } },
    ]);
  });

  test("is continued by the side that made it, if the request names no model", async () => {
    const ask = (body: object) => from(handler()(post(body, {}, "/v1/responses")));
    expect(await ask({ previous_response_id: "resp_here1" })).toBe("here");
    expect(await ask({ previous_response_id: "resp_there" })).toBe("upstream");
    expect(await ask({ previous_response_id: "resp_there", model: "default" })).toBe("here");
    expect(await ask({ previous_response_id: null })).toBe("here");
  });
});

describe("the request to the upstream", () => {
  test("has the same body, path and query", async () => {
    const body = `{"model":"org/there",  "seed": 12345678901234567890,"a":"\\u00e9\\/"}`;
    await handler({ url: "http://upstream.test:30000/openai/v1/" })(
      post(body, {}, "/v1/chat/completions?x=1&y=%2F"),
    );
    expect(asked[0]).toMatchObject({
      method: "POST",
      url: "http://upstream.test:30000/openai/v1/chat/completions?x=1&y=%2F",
      body,
    });
  });

  test("has the client's headers, without credentials and headers of the connection", async () => {
    const sent = {
      "content-type": "application/json; charset=utf-8",
      "x-stainless-lang": "js",
      "x-request-id": "mine",
      "openai-organization": "org",
      authorization: "Bearer the client's",
      cookie: "session=1",
      "x-api-key": "the client's",
      "api-key": "the client's",
      origin: "https://app.example",
      referer: "https://app.example/page",
      "sec-fetch-mode": "cors",
      connection: "keep-alive, x-hop",
      "x-hop": "1",
      "keep-alive": "timeout=5",
      "proxy-authorization": "Basic x",
      te: "trailers",
      upgrade: "h2c",
      "accept-encoding": "gzip",
    };
    await handler()(post({ model: "org/there" }, sent));
    expect(Object.fromEntries(asked[0]?.headers ?? [])).toEqual({
      "content-type": "application/json; charset=utf-8",
      "x-stainless-lang": "js",
      "x-request-id": "mine",
      "openai-organization": "org",
    });
  });

  test("has the upstream's key instead of the client's", async () => {
    const headers = { authorization: "Bearer client" };
    await handler({ apiKey: "sk-upstream" })(post({ model: "org/there" }, headers));
    expect(asked[0]?.headers.get("authorization")).toBe("Bearer sk-upstream");
    await handler({ apiKey: "sk-upstream" })(request("/v1/models", { headers }));
    expect(asked[1]?.headers.get("authorization")).toBe("Bearer sk-upstream");
    await handler({ apiKey: "" })(post({ model: "org/there" }, headers));
    expect(asked[2]?.headers.has("authorization")).toBe(false);
  });

  test("has the JSON type if the caller of fetch named none", async () => {
    const body = JSON.stringify({ model: "org/there" });
    await handler()(request("/v1/chat/completions", { method: "POST", body }));
    expect(asked[0]?.headers.get("content-type")).toBe("application/json");
  });
});

describe("the answer of the upstream", () => {
  test.each([200, 201, 400, 401, 404, 422, 429, 500, 503])(
    "a %i is returned unchanged",
    async (status) => {
      const body = `{"object":"error",\n "message":"as it is","code":${status}}`;
      const headers = { "content-type": "application/json", "retry-after": "7", "x-own": "1" };
      answer = () => new Response(body, { status, statusText: "Own Words", headers });
      const response = await handler()(post({ model: "org/there" }));
      expect([response.status, response.statusText]).toEqual([status, "Own Words"]);
      expect(await response.text()).toBe(body);
      const { "x-request-id": id, ...rest } = Object.fromEntries(response.headers);
      expect(rest).toEqual(headers);
      expect(id).toMatch(/^req_[0-9a-f]{32}$/);
    },
  );

  test("without a body", async () => {
    answer = () => new Response(null, { status: 204 });
    const response = await handler()(request("/v1/responses/x", { method: "DELETE" }));
    expect([response.status, response.body]).toEqual([204, null]);
  });

  test("without headers of its connection, encoding, host or CORS", async () => {
    answer = () =>
      new Response("decoded", {
        headers: {
          "x-request-id": "req_theirs",
          "content-encoding": "gzip",
          "content-length": "999",
          connection: "close, x-hop",
          "x-hop": "1",
          "keep-alive": "timeout=5",
          "transfer-encoding": "chunked",
          "alt-svc": "h3",
          "access-control-allow-origin": "https://other.example",
          "access-control-allow-credentials": "true",
        },
      });
    const response = await handler()(post({ model: "org/there" }));
    expect(Object.fromEntries(response.headers)).toEqual({
      "content-type": "text/plain;charset=UTF-8",
      "x-request-id": "req_theirs",
    });
  });

  test("as a stream, event by event", async () => {
    let controller!: ReadableStreamDefaultController<Uint8Array>;
    const stream = new ReadableStream<Uint8Array>({ start: (c) => void (controller = c) });
    answer = () => new Response(stream, { headers: { "content-type": "text/event-stream" } });
    const { body, headers } = await handler()(post({ model: "org/there", stream: true }));
    expect(headers.get("content-type")).toBe("text/event-stream");
    const reader = (body as ReadableStream<Uint8Array>).getReader();
    for (const text of ["data: 1\n\n", "data: 2\n\n", "data: [DONE]\n\n"]) {
      controller.enqueue(new TextEncoder().encode(text));
      expect(new TextDecoder().decode((await reader.read()).value)).toBe(text);
    }
    controller.close();
    expect((await reader.read()).done).toBe(true);
  });

  test("as a broken stream, which fails", async () => {
    const stream = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.error(new TypeError("terminated")),
    });
    answer = () => new Response(stream);
    const response = await handler()(post({ model: "org/there", stream: true }));
    await expect(response.text()).rejects.toThrow("terminated");
  });

  test("never contains the key, whatever fails", async () => {
    answer = () => {
      throw new TypeError("fetch failed", { cause: new Error("connect ECONNREFUSED") });
    };
    const handle = handler({ apiKey: "sk-secret" });
    for (const question of [post({ model: "org/there" }), request("/v1/models/x")]) {
      const response = await handle(question);
      expect(response.status).toBe(502);
      expect(JSON.stringify([...response.headers]) + (await response.text())).not.toContain(
        "secret",
      );
    }
  });
});

describe("an abort", () => {
  test("reaches the upstream at once, and rejects as fetch does", async () => {
    let seen: AbortSignal | undefined;
    answer = ({ signal }) => {
      seen = signal;
      return new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason)),
      );
    };
    const client = new AbortController();
    const body = JSON.stringify({ model: "org/there" });
    const { signal } = client;
    const left = handler()(request("/v1/chat/completions", { method: "POST", body, signal }));
    await vi.waitFor(() => expect(seen).toBeDefined());
    const reason = new DOMException("left", "AbortError");
    client.abort(reason);
    await expect(left).rejects.toBe(reason);
    expect(seen?.aborted).toBe(true);
  });

  test("when the body is cancelled, cancels the upstream's body", async () => {
    const cancel = vi.fn();
    answer = () => new Response(new ReadableStream({ cancel }));
    const { body } = await handler()(post({ model: "org/there" }));
    await body?.cancel("enough");
    expect(cancel).toHaveBeenCalledWith("enough");
  });

  test("of GET models rejects too", async () => {
    const client = new AbortController();
    answer = ({ signal }) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    const left = handler()(request("/v1/models", { signal: client.signal }));
    await vi.waitFor(() => expect(asked).toHaveLength(1));
    client.abort();
    await expect(left).rejects.toMatchObject({ name: "AbortError" });
  });
});

describe("an upstream that can't be reached", () => {
  beforeEach(() => {
    answer = () => {
      throw new TypeError("fetch failed", { cause: new Error("connect ECONNREFUSED 1.2.3.4:5") });
    };
  });

  test("is a 502 with advice", async () => {
    const response = await handler()(post({ model: "org/there" }));
    expect([response.status, response.headers.get("retry-after")]).toEqual([502, "1"]);
    expect((await response.json()).error).toEqual({
      message:
        `The upstream server at ${URL_} can't be reached: connect ECONNREFUSED 1.2.3.4:5. ` +
        "Start it, or correct its address.",
      type: "server_error",
      param: null,
      code: "upstream_unreachable",
    });
  });

  test("may be CORS, for a page of another origin", async () => {
    const access = { base: "https://app.example/page" };
    const response = await handler({ access })(post({ model: "org/there" }));
    expect((await response.json()).error.message).toContain("pages of https://app.example");
    const own = { base: "http://upstream.test:30000/page" };
    const same = await handler({ access: own })(post({ model: "org/there" }));
    expect((await same.json()).error.message).not.toContain("pages of");
  });

  test("does not affect the local model", async () => {
    expect(await from(handler()(post({ model: "default" })))).toBe("here");
    const list = await handler()(request("/v1/models"));
    expect(await list.json()).toEqual({
      object: "list",
      data: [{ id: "org/here", owned_by: "webvlm" }],
    });
  });
});

describe("the list of models", () => {
  const ids = async (response: Response): Promise<string[]> =>
    ((await response.json()) as { data: { id: string }[] }).data.map(({ id }) => id);
  const list = (...names: string[]) => {
    answer = () =>
      Response.json({ object: "list", data: names.map((id) => ({ id, owned_by: "sglang" })) });
  };

  test("has the local model first, and no duplicates", async () => {
    list("org/there", "org/here", "org/else");
    const response = await handler()(request("/v1/models"));
    expect(await response.json()).toEqual({
      object: "list",
      data: [
        { id: "org/here", owned_by: "webvlm" },
        { id: "org/there", owned_by: "sglang" },
        { id: "org/else", owned_by: "sglang" },
      ],
    });
    expect(response.headers.get("x-request-id")).toMatch(/^req_/);
  });

  test("has the listed models without asking the upstream", async () => {
    const handle = handler({ models: ["org/there", "org/here"] });
    const data = (await (await handle(request("/v1/models"))).json()).data;
    expect(data).toEqual([
      { id: "org/here", owned_by: "webvlm" },
      { id: "org/there", object: "model", created: expect.any(Number), owned_by: "upstream" },
    ]);
    const one = await handle(request("/v1/models/org%2Fthere"));
    expect(await one.json()).toEqual(data[1]);
    expect(asked).toEqual([]);
  });

  test.each([
    ["an error", () => new Response("no", { status: 500 })],
    ["no list", () => Response.json({ object: "list" })],
    ["no JSON", () => new Response("<html>")],
  ])("is the local one where the upstream answers with %s", async (_, wrong) => {
    answer = wrong;
    expect(await ids(await handler()(request("/v1/models")))).toEqual(["org/here"]);
    // A request for the upstream alone fails.
    const one = await handler()(request("/v1/models/org/there"));
    expect(one.status).toBe(502);
    expect((await one.json()).error).toMatchObject({ code: "upstream_failed" });
  });

  test("has a time limit", async () => {
    vi.spyOn(AbortSignal, "timeout").mockImplementation((ms) => {
      expect(ms).toBeLessThanOrEqual(5000);
      return AbortSignal.abort(new DOMException("late", "TimeoutError"));
    });
    try {
      answer = ({ signal }) => Promise.reject(signal.reason);
      expect(await ids(await handler()(request("/v1/models")))).toEqual(["org/here"]);
      const one = await handler()(request("/v1/models/org/there"));
      expect((await one.json()).error.message).toContain("it took longer than 5000 ms");
    } finally {
      vi.restoreAllMocks();
    }
  });

  test("finds one model: here, there or nowhere", async () => {
    list("org/there");
    for (const id of ["org/here", "org%2Fhere", "default"]) {
      expect(await from(handler()(request(`/v1/models/${id}`)))).toBe("here");
    }
    for (const id of ["org/there", "org%2Fthere"]) {
      const response = await handler()(request(`/v1/models/${id}`));
      expect(await response.json()).toEqual({ id: "org/there", owned_by: "sglang" });
    }
    const nowhere = await handler()(request("/v1/models/org/else"));
    expect(nowhere.status).toBe(404);
    const { error } = await nowhere.json();
    expect(error.code).toBe("model_not_found");
    expect(error.message).toContain("'org/here', 'org/there'");
  });
});

describe("without a local model", () => {
  const alone = { local: undefined };

  test("the upstream answers everything", async () => {
    const handle = handler(alone);
    for (const body of [{}, { model: "default" }, { model: "org/any" }, "not JSON"]) {
      expect(await from(handle(post(body)))).toBe("upstream");
    }
    expect(await from(handle(request("/v1/responses/resp_x")))).toBe("upstream");
    expect(await from(handle(request("/v1/model_info")))).toBe("upstream");
    expect(asked.at(-1)?.url).toBe(`${URL_}/model_info`);
  });

  test("and listed models, it is asked for these only", async () => {
    const handle = handler({ ...alone, models: ["org/there"] });
    expect(await from(handle(post({ model: "org/there" })))).toBe("upstream");
    expect(await from(handle(post({ model: "default" })))).toBe("upstream");
    expect((await handle(post({ model: "org/else" }))).status).toBe(404);
  });

  test("the health is the upstream's", async () => {
    answer = () => Response.json({ data: [] });
    const well = await handler(alone)(request("/v1/health"));
    expect([well.status, await well.json()]).toEqual([200, { status: "ok" }]);
    answer = () => {
      throw new TypeError("fetch failed");
    };
    const ill = await handler(alone)(request("/v1/health"));
    expect([ill.status, ill.headers.get("retry-after")]).toEqual([503, "1"]);
    expect((await ill.json()).error.code).toBe("upstream_unreachable");
    expect((await handler(alone)(request("/v1/models"))).status).toBe(502);
  });

  test("a path outside /v1/ is not passed on", async () => {
    const response = await handler(alone)(request("/admin"));
    expect([response.status, asked]).toEqual([404, []]);
    expect(response.headers.get("x-request-id")).toMatch(/^req_/);
  });
});

test.each([
  ["nonsense", /is not a URL/],
  ["ftp://upstream.test", /neither http nor https/],
  ["http://user:secret@upstream.test/v1", /more than host and path/],
  ["http://upstream.test/v1?key=secret", /more than host and path/],
])("the address %s is refused", (url, message) => {
  expect(() => handler({ url })).toThrow(RangeError);
  expect(() => handler({ url })).toThrow(message);
  if (url.includes("secret")) expect(() => handler({ url })).not.toThrow(/secret/);
});

test.each([
  ["http://upstream.test", "http://upstream.test/v1"],
  ["http://upstream.test/", "http://upstream.test/v1"],
  ["https://upstream.test/v1/", "https://upstream.test/v1"],
  [new URL("http://upstream.test/a/b"), "http://upstream.test/a/b"],
  ["/sglang/v1", "https://app.example/sglang/v1"],
])("the address %s is %s", async (url, base) => {
  const access = { base: "https://app.example/page" };
  await handler({ url, access })(post({ model: "org/there" }));
  expect(asked[0]?.url).toBe(`${base}/chat/completions`);
});

test("a key with invalid characters is rejected, and not repeated in the message", () => {
  expect(() => handler({ apiKey: "sk-\nsecret" })).toThrow(/^upstream: the API key has characters/);
});
