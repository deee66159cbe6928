import { describe, expect, test, vi } from "vitest";
import { readBytes } from "../../../tests/chat-support.ts";
import { inlinePageImages } from "./page-images.ts";

const BASE = "https://app.example/chat/page.html";
const PNG = readBytes("public/images/red-circle.png");
const DATA = `data:image/png;base64,${PNG.toString("base64")}`;

/** The files that the page can read. */
const files = new Map<string, () => Response>([
  ["blob:https://app.example/1-2", () => new Response(PNG)],
  ["https://app.example/chat/circle.png", () => new Response(PNG)],
  ["https://app.example/circle.png", () => new Response(PNG)],
  [
    "https://app.example/app-route",
    () => new Response("<!doctype html>", { headers: { "content-type": "text/html" } }),
  ],
  [
    "https://app.example/icon",
    () => new Response("\x01\x02", { headers: { "content-type": "image/x-own" } }),
  ],
]);

const pageFetch = vi.fn(async (input: RequestInfo | URL) => {
  const file = files.get(String(input));
  return file ? file() : new Response("", { status: 404 });
});

const inline = (body: object, signal = new AbortController().signal) =>
  inlinePageImages(body, BASE, pageFetch as typeof fetch, signal);

const chat = (...urls: string[]) => ({
  model: "org/there",
  messages: [
    { role: "system", content: "blob:https://app.example/1-2" },
    {
      role: "user",
      content: [
        ...urls.map((url) => ({ type: "image_url", image_url: { url, detail: "low" } })),
        { type: "text", text: "circle.png" },
      ],
    },
  ],
});

describe("an image that only the page can read", () => {
  test.each([
    "blob:https://app.example/1-2",
    "circle.png",
    "/circle.png",
    "../circle.png",
    "https://app.example/circle.png",
  ])("%s becomes a data URL", async (url) => {
    const body = chat(url);
    const before = structuredClone(body);
    expect(await inline(body)).toEqual(chat(DATA));
    expect(body).toEqual(before);
  });

  test("as bare base64", async () => {
    expect(await inline(chat(PNG.toString("base64")))).toEqual(chat(DATA));
  });

  test("of an unknown type keeps its server's type", async () => {
    expect(await inline(chat("/icon"))).toEqual(
      chat(`data:image/x-own;base64,${btoa("\x01\x02")}`),
    );
  });

  test("next to images that stay unchanged", async () => {
    const other = "https://cdn.example/x.png";
    const body = chat("circle.png", other, "blob:https://app.example/1-2");
    expect(await inline(body)).toEqual(chat(DATA, other, DATA));
  });

  test("in a response's input, and in the output of a tool", async () => {
    const body = (url: string) => ({
      input: [
        { role: "user", content: [{ type: "input_image", image_url: url, detail: "auto" }] },
        {
          type: "function_call_output",
          call_id: "call_1",
          output: [{ type: "input_image", image_url: url }],
        },
      ],
      tools: [{ type: "function", parameters: { properties: { image_url: { type: "string" } } } }],
    });
    expect(await inline(body("circle.png"))).toEqual(body(DATA));
  });
});

test.each([
  [chat()],
  [
    chat(
      "https://cdn.example/circle.png",
      "data:image/png;base64,AAAA",
      "http://app.example/x.png",
    ),
  ],
  [{ messages: "circle.png", input: "circle.png" }],
  [{ messages: [null, { content: [{ image_url: null }, { image_url: { url: 7 } }] }] }],
  [{ tools: [{ image_url: "circle.png" }] }],
  [{}],
])("nothing of that in %j", async (body) => {
  pageFetch.mockClear();
  expect(await inline(body)).toBeUndefined();
  expect(pageFetch).not.toHaveBeenCalled();
});

describe("an image that can't be read is reported", () => {
  test.each([
    ["missing.png", "failed_to_download_image", /answered 404/],
    ["blob:https://app.example/gone", "failed_to_download_image", /answered 404/],
    ["/app-route", "unsupported_image_media_type", /Images of type text\/html are not supported/],
  ])("%s", async (url, code, message) => {
    await expect(inline(chat("circle.png", url))).rejects.toMatchObject({
      name: "OpenAIError",
      code,
      param: "messages[1].content[1].image_url.url",
      message: expect.stringMatching(message),
    });
  });

  test("in a response's input", async () => {
    const input = [{ content: [{ type: "input_image", image_url: "missing.png" }] }];
    await expect(inline({ input })).rejects.toMatchObject({
      param: "input[0].content[0].image_url",
    });
  });

  test("unless the request is aborted", async () => {
    const reason = new DOMException("left", "AbortError");
    await expect(inline(chat("missing.png"), AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
