import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ScriptedGenerator, dataUrl, scriptedModel } from "../../tests/chat-support.ts";
import { differences } from "../../tests/openai-types.ts";
import { ADDITIONS, expectPublished, seenAdditions } from "../../tests/published.ts";
import { toolModel } from "../../tests/tool-templates.ts";
import { type TokenGenerator, QueueFullError } from "../engine/generation.ts";
import { DeviceLostError } from "../platform/device-error.ts";
import { type ServedModel, createHandler } from "./handler.ts";

const EOS = 1023;
const HELLO = [{ role: "user", content: "Hello" }];
const CIRCLE = dataUrl("e2e/goldens/sample/red-circle.png");
const IMAGE = [
  {
    role: "user",
    content: [
      { type: "image_url", image_url: { url: CIRCLE } },
      { type: "text", text: "What is in this image?" },
    ],
  },
];

let generator = new ScriptedGenerator();
const scripted: TokenGenerator = {
  contextLength: 2048,
  generate: (input) => generator.generate(input),
};
const chat = scriptedModel(scripted);
const served: ServedModel = { id: "org/sample", created: 1, fingerprint: "fp_test", chat };
let model: ServedModel | undefined;
const handle = createHandler({ model: () => model });
const idsOf = (text: string) => chat.tokenizer.encode(text, { addSpecialTokens: false });

// Compiling the package's types is slow.
beforeAll(() => void differences({}, "ChatCompletion"), 60_000);

beforeEach(() => {
  model = served;
  generator = new ScriptedGenerator([...idsOf("A 🐻 circle."), EOS]);
});

const send = (path: string, body?: object) =>
  handle(
    new Request(`http://page.test/v1/${path}`, {
      method: body ? "POST" : "GET",
      ...(body && { body: JSON.stringify(body) }),
      headers: { "content-type": "application/json" },
    }),
  );

const whole = async (path: string, body?: object): Promise<unknown> => {
  const response = await send(path, body);
  expect(response.status).toBe(200);
  return response.json();
};

/** The objects in the events of a stream. */
const events = async (path: string, body: object): Promise<unknown[]> => {
  const response = await send(path, { ...body, stream: true });
  expect(response.status).toBe(200);
  const data = (await response.text()).matchAll(/^data: (\{.*)$/gm);
  return [...data].map(([, json]) => JSON.parse(json as string) as unknown);
};

describe("OpenAI's published types match", () => {
  test.each<[string, object]>([
    ["plain", { messages: HELLO }],
    ["about an image", { messages: IMAGE }],
    ["several choices", { messages: HELLO, n: 2 }],
    ["logprobs", { messages: HELLO, logprobs: true, top_logprobs: 2 }],
    ["token ids", { messages: HELLO, return_token_ids: true }],
    ["a stop string", { messages: HELLO, stop: "circle" }],
    ["the length limit", { messages: HELLO, max_tokens: 2 }],
  ])("chat completions, streamed and not: %s", async (_, body) => {
    expectPublished(await whole("chat/completions", body), "ChatCompletion");
    const options = [
      {},
      { stream_options: { include_usage: true } },
      { stream_options: { continuous_usage_stats: true } },
    ];
    for (const option of options) {
      const chunks = await events("chat/completions", { ...body, ...option });
      expect(chunks.length).toBeGreaterThan(2);
      for (const chunk of chunks) expectPublished(chunk, "ChatCompletionChunk");
    }
  });

  test("chat completions, streamed and not: reasoning and calls", async () => {
    model = { ...served, chat: toolModel(scripted, "qwen") };
    const name = "get_weather";
    const call = (json: string) =>
      `<tool_call>\n{"name": "${name}", "arguments": ${json}}\n</tool_call>`;
    const text = `<think>Hm</think>Well. ${call('{"place": "Oslo"}')}\n${call("{}")}`;
    generator.ids = [...model.chat.tokenizer.encode(text, { addSpecialTokens: false }), EOS];
    const body = { messages: HELLO, tools: [{ type: "function", function: { name } }], n: 2 };

    const answer = await whole("chat/completions", body);
    expect(answer).toMatchObject({
      choices: [0, 1].map((index) => ({
        index,
        message: { reasoning_content: "Hm", tool_calls: [{ function: { name } }, {}] },
        finish_reason: "tool_calls",
      })),
    });
    expectPublished(answer, "ChatCompletion");
    const chunks = await events("chat/completions", body);
    for (const chunk of chunks) expectPublished(chunk, "ChatCompletionChunk");
    expect(JSON.stringify(chunks)).toMatch(/"reasoning_content":.*"tool_calls":/);
  });

  test.each<[string, object]>([
    ["plain", { prompt: "Here is" }],
    ["several", { prompt: ["Here is", "And here"], n: 2, echo: true }],
    ["the length limit", { prompt: "Here is", max_tokens: 2 }],
  ])("completions, streamed and not: %s", async (_, body) => {
    expectPublished(await whole("completions", body), "Completion");
    for (const option of [{}, { stream_options: { include_usage: true } }]) {
      const streamed = await events("completions", { ...body, ...option });
      expect(streamed.length).toBeGreaterThan(1);
      for (const event of streamed) {
        expectPublished(event, "Completion", "a Completion of a stream");
      }
    }
  });

  test("responses, streamed and not: about an image", async () => {
    const input = [{ role: "user", content: [{ type: "input_image", image_url: CIRCLE }] }];
    expectPublished(await whole("responses", { input }), "Responses.Response");
    for (const event of await events("responses", { input })) {
      expectPublished(event, "Responses.ResponseStreamEvent");
    }
  });

  test("responses, streamed and not: reasoning, text and calls", async () => {
    model = { ...served, chat: toolModel(scripted, "qwen") };
    const name = "get_weather";
    const call = `<tool_call>\n{"name": "${name}", "arguments": {"place": "Oslo"}}\n</tool_call>`;
    const text = `<think>Hm</think>Well. ${call}\n${call}`;
    generator.ids = [...model.chat.tokenizer.encode(text, { addSpecialTokens: false }), EOS];
    const include = ["message.output_text.logprobs"];
    const tools = [{ type: "function", name }];
    const body = { input: "Hello", tools, include, top_logprobs: 2 };

    const response = (await whole("responses", body)) as { output: { type: string }[] };
    const kinds = ["reasoning", "message", "function_call", "function_call"];
    expect(response.output.map(({ type }) => type)).toEqual(kinds);
    expectPublished(response, "Responses.Response");
    const streamed = (await events("responses", body)) as { type: string }[];
    for (const event of streamed) expectPublished(event, "Responses.ResponseStreamEvent");
    const types = new Set(streamed.map(({ type }) => type));
    for (const type of ["reasoning_text", "output_text", "function_call_arguments"]) {
      expect(types).toContain(`response.${type}.delta`);
    }
  });

  test("models", async () => {
    const list = (await whole("models")) as { data: unknown[] };
    expect(list).toEqual({ object: "list", data: [expect.anything()] });
    for (const entry of list.data) expectPublished(entry, "Model");
    expectPublished(await whole("models/default"), "Model");
  });

  test.each<[number, string, object | undefined, unknown]>([
    [400, "chat/completions", {}, undefined],
    [400, "chat/completions", { messages: HELLO, n: 9 }, undefined],
    [400, "completions", { prompt: "" }, undefined],
    [404, "chat/completions", { messages: HELLO, model: "gpt-9" }, undefined],
    [404, "models/gpt-9", undefined, undefined],
    [404, "nothing", undefined, undefined],
    [405, "chat/completions", undefined, undefined],
    [429, "chat/completions", { messages: HELLO }, new QueueFullError("64 requests wait")],
    [503, "chat/completions", { messages: HELLO }, new DeviceLostError("the GPU was lost")],
    [500, "chat/completions", { messages: HELLO, stream: true }, new RangeError("out of memory")],
  ])("errors: %i of %s", async (status, path, body, failure) => {
    generator = new ScriptedGenerator();
    generator.failure = failure;
    const response = await send(path, body);
    expect(response.status).toBe(status);
    const { error, ...rest } = (await response.json()) as { error: unknown };
    expect(rest).toEqual({});
    expectPublished(error, "ErrorObject");
  });

  test("errors while the model is loading, and within a stream", async () => {
    generator.failure = new DeviceLostError("the GPU was lost");
    generator.ids = idsOf("A red");
    const streamed = await events("chat/completions", { messages: HELLO });
    const last = streamed.at(-1) as { error: unknown };
    expectPublished(last.error, "ErrorObject");
    for (const event of await events("responses", { input: "Hello" })) {
      expectPublished(event, "Responses.ResponseStreamEvent");
    }
    model = undefined;
    const response = await send("chat/completions", { messages: HELLO });
    expect(response.status).toBe(503);
    expectPublished(((await response.json()) as { error: unknown }).error, "ErrorObject");
  });

  // Fields that are no longer sent, or that OpenAI's types now have, must be deleted from the list.
  afterAll(() => {
    const listed = Object.entries(ADDITIONS).flatMap(([type, keys]) =>
      Object.keys(keys).map((key) => `${type}: ${key}`),
    );
    expect([...seenAdditions].sort()).toEqual(listed.sort());
  });
});
