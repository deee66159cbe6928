import type { Page } from "playwright";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { openSample } from "./browser.ts";

let page: Page;
beforeAll(async () => {
  page = await openSample();
});

const hello = { messages: [{ role: "user", content: "Hello!" }] };
const image = (url: string) => ({
  messages: [{ role: "user", content: [{ type: "image_url", image_url: { url } }] }],
});
const URL_PARAM = "messages[0].content[0].image_url.url";

const send = (body: unknown, path?: string) =>
  page.evaluate(async ([body, path]) => window.tools.answer(await window.tools.post(body, path)), [
    body,
    path,
  ] as const);

// After each refusal the next valid request must be answered.
afterEach(async () => {
  const { status } = await send({ ...hello, max_tokens: 1 });
  expect(status).toBe(200);
});

describe("a bad request is refused with an error that names the fault", () => {
  test.each([
    { what: "no JSON", body: "{", code: null, param: null },
    { what: "no object", body: "[]", code: null, param: null },
    { what: "no messages", body: {}, code: "missing_required_parameter", param: "messages" },
    { what: "empty messages", body: { messages: [] }, code: "invalid_value", param: "messages" },
    {
      what: "a role that there is none of",
      body: { messages: [{ role: "wizard", content: "Hello!" }] },
      code: "invalid_value",
      param: "messages[0].role",
    },
    {
      what: "text for a number",
      body: { ...hello, max_tokens: "ten" },
      code: "invalid_type",
      param: "max_tokens",
    },
    {
      what: "a temperature out of range",
      body: { ...hello, temperature: 3 },
      code: "invalid_value",
      param: "temperature",
    },
    {
      what: "sound",
      body: {
        messages: [
          {
            role: "user",
            content: [{ type: "input_audio", input_audio: { data: "", format: "wav" } }],
          },
        ],
      },
      code: "unsupported_content_part",
      param: "messages[0].content[0]",
    },
    {
      what: "more text than the context holds",
      body: { messages: [{ role: "user", content: "red circle ".repeat(3000) }] },
      code: "context_length_exceeded",
      param: "messages",
    },
    {
      what: "an image with bad base64",
      body: image("data:image/png;base64,%%%"),
      code: "invalid_base64_image",
      param: URL_PARAM,
    },
    {
      what: "an empty image",
      body: image("data:image/png;base64,"),
      code: "empty_image_file",
      param: URL_PARAM,
    },
    {
      what: "an image that is none",
      body: image(`data:image/png;base64,${btoa("not a PNG")}`),
      code: "image_parse_error",
      param: URL_PARAM,
    },
    {
      what: "a file of another kind",
      body: image("data:application/pdf;base64,JVBERi0xLjcK"),
      code: "unsupported_image_media_type",
      param: URL_PARAM,
    },
    {
      what: "an image that can't be downloaded",
      body: image("http://127.0.0.1:1/image.png"),
      code: "failed_to_download_image",
      param: URL_PARAM,
    },
  ])("$what", async ({ body, code, param }) => {
    const { status, retry, body: error } = await send(body);
    expect({ status, retry }).toEqual({ status: 400, retry: "false" });
    expect(error).toEqual({
      error: { message: expect.stringMatching(/./), type: "invalid_request_error", param, code },
    });
  });

  test("for a model that is not loaded", async () => {
    const { status, body } = await send({ ...hello, model: "gpt-9" });
    expect(status).toBe(404);
    expect(body).toMatchObject({ error: { code: "model_not_found", param: "model" } });
  });

  test("for an unknown path", async () => {
    const { status, body } = await send(hello, "/v1/embeddings");
    expect(status).toBe(404);
    expect(body).toMatchObject({ error: { type: "invalid_request_error" } });
  });

  test("for a method that the path does not support", async () => {
    const [status, allow] = await page.evaluate(async () => {
      const response = await fetch("/v1/chat/completions");
      return [response.status, response.headers.get("allow")];
    });
    expect([status, allow]).toEqual([405, "POST"]);
  });
});
