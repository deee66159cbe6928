import type { Page } from "playwright";
import { beforeAll, describe, expect, test } from "vitest";
import { differences } from "../tests/openai-types.ts";
import { expectPublished } from "../tests/published.ts";
import { openSample } from "./browser.ts";

let page: Page;
beforeAll(async () => {
  differences({}, "ChatCompletion"); // compiling the package's types takes a while
  page = await openSample();
});

const url = "/e2e/goldens/sample/red-circle.png";
const text = "What's in this image?";
const messages = [
  {
    role: "user",
    content: [
      { type: "image_url", image_url: { url } },
      { type: "text", text },
    ],
  },
];
const input = [
  {
    role: "user",
    content: [
      { type: "input_image", image_url: url, detail: "auto" },
      { type: "input_text", text },
    ],
  },
];
const include_usage = { stream_options: { include_usage: true } };

/** The JSON of an answer, or of each event of a stream. */
async function record(path: string, body?: object): Promise<unknown[]> {
  const { ok, type, answer } = await page.evaluate(
    async ([path, body]) => {
      const { post } = window.tools;
      const response = await (body ? post(body, `/v1/${path}`) : fetch(`/v1/${path}`));
      const type = response.headers.get("content-type") ?? "";
      return { ok: response.ok, type, answer: await response.text() };
    },
    [path, body] as const,
  );
  expect(ok, answer).toBe(true);
  if (!type.startsWith("text/event-stream")) return [JSON.parse(answer)];
  const events = [...answer.matchAll(/^data: (\{.*)$/gm)];
  expect(events.length).toBeGreaterThan(2);
  return events.map(([, json]) => JSON.parse(json as string) as unknown);
}

describe("the sample model's answers fit OpenAI's published types", () => {
  test.each<[string, string, object]>([
    ["a chat completion", "ChatCompletion", { messages, n: 2, logprobs: true, top_logprobs: 3 }],
    ["a JSON", "ChatCompletion", { messages, response_format: { type: "json_object" } }],
    ["a stream", "ChatCompletionChunk", { messages, stream: true, ...include_usage }],
  ])("%s", async (_, type, body) => {
    const answers = await record("chat/completions", { max_tokens: 40, ...body });
    for (const answer of answers) expectPublished(answer, type);
  });

  test("completions", async () => {
    const body = { prompt: "A red", max_tokens: 8 };
    for (const answer of await record("completions", body)) expectPublished(answer, "Completion");
    for (const answer of await record("completions", { ...body, stream: true, ...include_usage })) {
      expectPublished(answer, "Completion", "a Completion of a stream");
    }
  });

  test("responses", async () => {
    for (const answer of await record("responses", { input })) {
      expectPublished(answer, "Responses.Response");
    }
    for (const event of await record("responses", { input, stream: true })) {
      expectPublished(event, "Responses.ResponseStreamEvent");
    }
  });

  test("models", async () => {
    const [list] = (await record("models")) as [{ data: { id: string }[] }];
    for (const model of list.data) expectPublished(model, "Model");
    const id = encodeURIComponent(list.data[0]?.id ?? "");
    for (const model of await record(`models/${id}`)) expectPublished(model, "Model");
  });
});
