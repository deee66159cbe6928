import { afterEach, describe, expect, test, vi } from "vitest";
import type { FetchHandler } from "../openai/handler.ts";
import { interceptFetch, pageFetch } from "./intercept-fetch.ts";

const native = Object.getOwnPropertyDescriptor(globalThis, "fetch") as PropertyDescriptor;
const undos: (() => void)[] = [];

afterEach(() => {
  for (const undo of undos.splice(0)) undo();
  Object.defineProperty(globalThis, "fetch", native);
});

/** Intercepts with a handler that echoes the request. */
function intercept(prefix?: string, name = "here"): () => void {
  const handler: FetchHandler = async (request, url = request.url) => {
    const text = await request.text();
    return new Response(`${name}: ${request.method} ${new URL(url).pathname} ${text}`.trim());
  };
  const undo = interceptFetch(handler, prefix);
  undos.push(undo);
  return undo;
}

const get = async (input: RequestInfo | URL, init?: RequestInit): Promise<string> =>
  (await fetch(input, init)).text();

/** Replaces the page's `fetch`, in place of the network. */
function fakeNetwork() {
  const network = vi.fn(async (..._args: unknown[]) => new Response("network"));
  Object.defineProperty(globalThis, "fetch", { ...native, value: network });
  return network;
}

describe("a request below the prefix is answered by the handler", () => {
  const post = { method: "POST", body: "{}" };
  test.each([
    ["a path", "/v1/models"],
    ["a relative path", "../../../../../../v1/models"],
    ["an absolute string", `${location.origin}/v1/models?x=1#y`],
    ["a URL", new URL("/v1/models", location.href)],
    ["a Request", new Request("/v1/models")],
  ])("%s", async (_, input) => {
    intercept();
    expect(await get(input)).toBe("here: GET /v1/models");
  });

  test("its init overrides the Request", async () => {
    intercept();
    expect(await get("/v1/chat/completions", post)).toBe("here: POST /v1/chat/completions {}");
    const request = new Request("/v1/x", { method: "POST", body: "old" });
    expect(await get(request, { body: "new" })).toBe("here: POST /v1/x new");
  });

  test("below another prefix it is rewritten to /v1/", async () => {
    intercept("/llm/api/");
    expect(await get("/llm/api/chat/completions", post)).toBe("here: POST /v1/chat/completions {}");
  });

  test("the longest of several prefixes wins", async () => {
    intercept("/v1/", "outer");
    intercept("/v1/inner/", "inner");
    expect(await get("/v1/models")).toBe("outer: GET /v1/models");
    expect(await get("/v1/inner/models")).toBe("inner: GET /v1/models");
  });

  test("an invalid request rejects, as it does with fetch", async () => {
    intercept();
    const answer = fetch("/v1/models", { method: "GET", body: "not with GET" });
    await expect(answer).rejects.toThrow(TypeError);
  });
});

describe("another request reaches the network with its own arguments", () => {
  test.each([
    ["another path", "/v2/models"],
    ["the prefix without its slash", "/v1"],
    ["another origin", "https://api.example.test/v1/models"],
    ["another port", `http://${location.hostname}:1/v1/models`],
    ["a data URL", "data:text/plain,/v1/"],
    ["an invalid URL", "http://["],
    ["a Request", new Request("/index.html")],
  ])("%s", async (_, input) => {
    const network = fakeNetwork();
    intercept();
    const init = { cache: "no-store" } as const;
    expect(await get(input, init)).toBe("network");
    const [[first, second]] = network.mock.calls as [unknown[]];
    expect(first).toBe(input);
    expect(second).toBe(init);
  });
});

describe("undo", () => {
  test("restores the original property, and a second undo does nothing", () => {
    const undo = intercept();
    expect(fetch).not.toBe(native.value);
    undo();
    undo();
    expect(Object.getOwnPropertyDescriptor(globalThis, "fetch")).toEqual(native);
  });

  test.each([
    { order: "first in, first out", first: 0 },
    { order: "last in, first out", first: 1 },
  ])("several undos: $order", async ({ first }) => {
    const both = [intercept("/a/", "a"), intercept("/b/", "b")] as const;
    both[first as 0 | 1]();
    const left = first === 0 ? "b" : "a";
    expect(await get(`/${left}/x`)).toBe(`${left}: GET /v1/x`);
    both[(1 - first) as 0 | 1]();
    expect(Object.getOwnPropertyDescriptor(globalThis, "fetch")).toEqual(native);
  });

  test("below another patch it leaves that patch, and intercepts nothing any more", async () => {
    const network = fakeNetwork();
    const undo = intercept();
    const ours = globalThis.fetch;
    const theirs: typeof fetch = (...args) => ours(...args);
    globalThis.fetch = theirs;
    undo();
    expect(globalThis.fetch).toBe(theirs);
    expect(await get("/v1/models")).toBe("network");
    expect(network).toHaveBeenCalledTimes(1);
    globalThis.fetch = ours;
    intercept()(); // Removes the patch at last.
    expect(globalThis.fetch).toBe(network);
  });

  test("when somebody else restored fetch, a later interception still works", async () => {
    intercept("/a/");
    Object.defineProperty(globalThis, "fetch", native);
    intercept("/b/", "b");
    expect(await get("/b/x")).toBe("b: GET /v1/x");
  });
});

test.each(["v1/", "/v1", "", "https://x.test/v1/"])("rejects the prefix %j", (prefix) => {
  expect(() => intercept(prefix)).toThrow(RangeError);
});

test("rejects a prefix that is already intercepted, until that is undone", () => {
  const undo = intercept();
  expect(() => intercept()).toThrow("already intercepted");
  undo();
  expect(() => intercept()).not.toThrow();
});

test("pageFetch reaches the network in spite of an interception", async () => {
  const network = fakeNetwork();
  const ask = async () => (await pageFetch("/v1/models", { cache: "no-store" })).text();
  expect(await ask()).toBe("network");
  const undo = intercept();
  expect(await get("/v1/models")).toBe("here: GET /v1/models");
  expect(await ask()).toBe("network");
  undo();
  expect(await ask()).toBe("network");
  expect(network.mock.calls).toEqual(Array(3).fill(["/v1/models", { cache: "no-store" }]));
});
