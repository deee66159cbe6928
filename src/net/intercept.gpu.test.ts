import { afterEach, describe, expect, test, vi } from "vitest";
import { type FetchHandler, intercept, pageFetch } from "./intercept.ts";

const native = Object.getOwnPropertyDescriptor(globalThis, "fetch") as PropertyDescriptor;
const undos: (() => void)[] = [];

afterEach(() => {
  for (const undo of undos.splice(0)) undo();
  Object.defineProperty(globalThis, "fetch", native);
});

/** Intercepts with a handler that tells what it was asked. */
function claim(prefix?: string, name = "here"): () => void {
  const handler: FetchHandler = async (request, url) => {
    const text = await request.text();
    return new Response(`${name}: ${request.method} ${new URL(url).pathname} ${text}`.trim());
  };
  const undo = intercept(handler, prefix === undefined ? {} : { prefix });
  undos.push(undo);
  return undo;
}

const get = async (input: RequestInfo | URL, init?: RequestInit): Promise<string> =>
  (await fetch(input, init)).text();

/** Puts a `fetch` in the page's place of the network, for what is passed on. */
function fakeNetwork() {
  const network = vi.fn(async (..._args: unknown[]) => new Response("network"));
  Object.defineProperty(globalThis, "fetch", { ...native, value: network });
  return network;
}

describe("what is answered here", () => {
  const post = { method: "POST", body: "{}" };
  test.each([
    ["a path", "/v1/models"],
    ["a relative path", "../../../../../../v1/models"],
    ["an absolute string", `${location.origin}/v1/models?x=1#y`],
    ["a URL", new URL("/v1/models", location.href)],
    ["a Request", new Request("/v1/models")],
  ])("%s", async (_, input) => {
    claim();
    expect(await get(input)).toBe("here: GET /v1/models");
  });

  test("with init, which goes before the Request's own", async () => {
    claim();
    expect(await get("/v1/chat/completions", post)).toBe("here: POST /v1/chat/completions {}");
    const request = new Request("/v1/x", { method: "POST", body: "old" });
    expect(await get(request, { body: "new" })).toBe("here: POST /v1/x new");
  });

  test("below another prefix, as if below /v1/", async () => {
    claim("/llm/api/");
    expect(await get("/llm/api/chat/completions", post)).toBe("here: POST /v1/chat/completions {}");
  });

  test("by the longest prefix of several", async () => {
    claim("/v1/", "outer");
    claim("/v1/inner/", "inner");
    expect(await get("/v1/models")).toBe("outer: GET /v1/models");
    expect(await get("/v1/inner/models")).toBe("inner: GET /v1/models");
  });

  test("and what fails, fails as fetch does: by rejecting", async () => {
    claim();
    const answer = fetch("/v1/models", { method: "GET", body: "not with GET" });
    await expect(answer).rejects.toThrow(TypeError);
  });
});

describe("what is passed on with its own arguments", () => {
  test.each([
    ["another path", "/v2/models"],
    ["the prefix without its slash", "/v1"],
    ["another origin", "https://api.example.test/v1/models"],
    ["another port", `http://${location.hostname}:1/v1/models`],
    ["a data URL", "data:text/plain,/v1/"],
    ["what is no URL", "http://["],
    ["a Request", new Request("/index.html")],
  ])("%s", async (_, input) => {
    const network = fakeNetwork();
    claim();
    const init = { cache: "no-store" } as const;
    expect(await get(input, init)).toBe("network");
    const [[first, second]] = network.mock.calls as [unknown[]];
    expect(first).toBe(input);
    expect(second).toBe(init);
  });
});

describe("undo", () => {
  test("restores the property as it was, and once is enough", () => {
    const undo = claim();
    expect(fetch).not.toBe(native.value);
    undo();
    undo();
    expect(Object.getOwnPropertyDescriptor(globalThis, "fetch")).toEqual(native);
  });

  test.each([
    { order: "first in, first out", first: 0 },
    { order: "last in, first out", first: 1 },
  ])("of several: $order", async ({ first }) => {
    const both = [claim("/a/", "a"), claim("/b/", "b")] as const;
    both[first as 0 | 1]();
    const left = first === 0 ? "b" : "a";
    expect(await get(`/${left}/x`)).toBe(`${left}: GET /v1/x`);
    both[(1 - first) as 0 | 1]();
    expect(Object.getOwnPropertyDescriptor(globalThis, "fetch")).toEqual(native);
  });

  test("under somebody else's patch leaves theirs and claims nothing more", async () => {
    const network = fakeNetwork();
    const undo = claim();
    const ours = globalThis.fetch;
    const theirs: typeof fetch = (...args) => ours(...args);
    globalThis.fetch = theirs;
    undo();
    expect(globalThis.fetch).toBe(theirs);
    expect(await get("/v1/models")).toBe("network");
    expect(network).toHaveBeenCalledTimes(1);
    globalThis.fetch = ours;
    claim()(); // Takes its patch off at last.
    expect(globalThis.fetch).toBe(network);
  });

  test("by somebody else, who put back what was before, does not hinder the next", async () => {
    claim("/a/");
    Object.defineProperty(globalThis, "fetch", native);
    claim("/b/", "b");
    expect(await get("/b/x")).toBe("b: GET /v1/x");
  });
});

test.each(["v1/", "/v1", "", "https://x.test/v1/"])("refuses the prefix %j", (prefix) => {
  expect(() => claim(prefix)).toThrow(RangeError);
});

test("refuses a prefix that is taken, until it is undone", () => {
  const undo = claim();
  expect(() => claim()).toThrow("already intercepted");
  undo();
  expect(() => claim()).not.toThrow();
});

test("what is intercepted can still be asked of the network", async () => {
  const network = fakeNetwork();
  const ask = async () => (await pageFetch("/v1/models", { cache: "no-store" })).text();
  expect(await ask()).toBe("network");
  const undo = claim();
  expect(await get("/v1/models")).toBe("here: GET /v1/models");
  expect(await ask()).toBe("network");
  undo();
  expect(await ask()).toBe("network");
  expect(network.mock.calls).toEqual(Array(3).fill(["/v1/models", { cache: "no-store" }]));
});
