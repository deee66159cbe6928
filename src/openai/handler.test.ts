import { beforeEach, describe, expect, test } from "vitest";
import { ScriptedGenerator, dataUrl, scriptedModel } from "../../tests/chat-support.ts";
import { QueueFullError } from "../engine/generation.ts";
import { DeviceLostError } from "../platform/device-error.ts";
import { type HandlerOptions, type ServedModel, createHandler } from "./handler.ts";
import type { ChatCompletion, ChatCompletionChunk, ChunkChoice, ErrorBody } from "./wire.ts";

const EOS = 1023;
const HELLO = [{ role: "user", content: "Hello" }];
const CIRCLE = dataUrl("e2e/goldens/sample/red-circle.png");

let generator = new ScriptedGenerator();
const chat = scriptedModel({
  get contextLength() {
    return generator.contextLength;
  },
  generate: (input) => generator.generate(input),
});
const served: ServedModel = {
  id: "org/sample",
  aliases: ["sample"],
  created: 1_700_000_000,
  fingerprint: "fp_test",
  chat,
};
const handle = createHandler({ model: () => served });
const idsOf = (text: string) => chat.tokenizer.encode(text, { addSpecialTokens: false });

beforeEach(() => {
  generator = new ScriptedGenerator([...idsOf("A red circle."), EOS]);
});

const request = (path: string, init?: RequestInit) => new Request(`http://page.test${path}`, init);

const post = (body: unknown, init: RequestInit = {}) =>
  handle(
    request("/v1/chat/completions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: typeof body === "string" ? body : JSON.stringify(body),
      ...init,
    }),
  );

const errorOf = async (response: Response) => ((await response.json()) as ErrorBody).error;

/** The `data:` line of every event. */
async function events(response: Response): Promise<string[]> {
  const text = await response.text();
  expect(text.endsWith("\n\n")).toBe(true);
  return text
    .slice(0, -2)
    .split("\n\n")
    .map((event) => {
      expect(event).toMatch(/^data: .*$/);
      return event.slice("data: ".length);
    });
}

describe("an answer", () => {
  test("has OpenAI's shape, with SGLang's additions", async () => {
    const before = Math.floor(Date.now() / 1000);
    const response = await post({ messages: HELLO });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toContain("application/json");
    const answer = (await response.json()) as ChatCompletion;
    const promptTokens = generator.inputs[0]?.ids.length as number;
    const completionTokens = generator.ids.length;
    expect(answer).toEqual({
      id: expect.stringMatching(/^chatcmpl-\w{32}$/) as string,
      object: "chat.completion",
      created: expect.any(Number) as number,
      model: "org/sample",
      system_fingerprint: "fp_test",
      choices: [
        {
          index: 0,
          message: {
            role: "assistant",
            content: "A red circle.",
            refusal: null,
            reasoning_content: null,
          },
          logprobs: null,
          finish_reason: "stop",
          matched_stop: EOS,
        },
      ],
      usage: {
        prompt_tokens: promptTokens,
        completion_tokens: completionTokens,
        total_tokens: promptTokens + completionTokens,
        prompt_tokens_details: { cached_tokens: 0, image_tokens: 0 },
        completion_tokens_details: { reasoning_tokens: 0 },
        reasoning_tokens: 0,
      },
      metadata: { weight_version: "default" },
    });
    expect(answer.created).toBeGreaterThanOrEqual(before);
    expect(((await (await post({ messages: HELLO })).json()) as ChatCompletion).id).not.toBe(
      answer.id,
    );
  });

  test("counts image tokens, and tells what the model saw, streamed and not", async () => {
    const content = [
      { type: "image_url", image_url: { url: CIRCLE } },
      { type: "text", text: "What is it?" },
    ];
    const body = { messages: [{ role: "user", content }] };
    const { usage } = (await (await post(body)).json()) as ChatCompletion;
    expect(usage.prompt_tokens_details).toEqual({
      cached_tokens: 0,
      image_tokens: 16,
      images: [{ width: 128, height: 128, tokens: 16 }],
    });
    const stream_options = { include_usage: true };
    const streamed = await events(await post({ ...body, stream: true, stream_options }));
    const last = JSON.parse(streamed.at(-2) as string) as ChatCompletionChunk;
    expect(last.usage).toEqual(usage);
    expect(usage.prompt_tokens).toBe(generator.inputs[0]?.ids.length);
    expect(generator.inputs[0]?.images).toHaveLength(1);
  });

  test("has token ids if requested, streamed and not", async () => {
    const ids = [...idsOf("A red circle."), EOS];
    const body = { messages: HELLO, return_token_ids: true };
    const whole = (await (await post(body)).json()) as ChatCompletion;
    expect(whole.choices[0]?.token_ids).toEqual(ids);
    expect(whole.prompt_token_ids).toHaveLength(whole.usage.prompt_tokens);
    const chunks = (await events(await post({ ...body, stream: true }))).slice(0, -1);
    const streamed = chunks.flatMap((event) => {
      const { choices } = JSON.parse(event) as ChatCompletionChunk;
      return choices[0]?.token_ids ?? [];
    });
    expect(streamed).toEqual(ids);
    expect(await (await post({ messages: HELLO })).json()).not.toHaveProperty("prompt_token_ids");
  });

  test("ends at the length limit", async () => {
    const response = await post({ messages: HELLO, max_tokens: 2 });
    const { choices, usage } = (await response.json()) as ChatCompletion;
    expect(choices[0]).toMatchObject({ finish_reason: "length", matched_stop: null });
    expect(usage.completion_tokens).toBe(2);
  });

  test("ends at a stop string", async () => {
    const response = await post({ messages: HELLO, stop: "circle" });
    const { choices } = (await response.json()) as ChatCompletion;
    expect(choices[0]).toMatchObject({
      message: { content: "A red " },
      finish_reason: "stop",
      matched_stop: "circle",
    });
  });

  test("keeps the stop string with no_stop_trim", async () => {
    const body = { messages: HELLO, stop: "circle", no_stop_trim: true };
    const { choices } = (await (await post(body)).json()) as ChatCompletion;
    expect(choices[0]).toMatchObject({
      message: { content: "A red circle" },
      matched_stop: "circle",
    });
    const data = await events(await post({ ...body, stream: true }));
    const texts = data.slice(0, -1).map((event) => {
      const chunk = JSON.parse(event) as ChatCompletionChunk;
      return chunk.choices[0]?.delta.content ?? "";
    });
    expect(texts.join("")).toBe("A red circle");
  });

  test("continues the assistant's last message with continue_final_message", async () => {
    const messages = [...HELLO, { role: "assistant", content: "I see a" }];
    await post({ messages, continue_final_message: true });
    await post({ messages, continue_final_message: false });
    const [continued, asked] = generator.inputs.map(({ ids }) => chat.tokenizer.decode(ids));
    expect(continued).toMatch(/Assistant: I see a$/);
    expect(asked).toMatch(/Assistant: I see a\nAssistant:$/);
    const response = await post({ messages: HELLO, continue_final_message: true });
    expect(response.status).toBe(400);
    expect(await errorOf(response)).toMatchObject({
      code: "invalid_value",
      param: "continue_final_message",
    });
  });

  test("has the requested number of choices", async () => {
    const body = { messages: HELLO, n: 3, seed: 5, return_token_ids: true };
    const response = await post(body);
    const { choices, usage } = (await response.json()) as ChatCompletion;
    expect(choices.map(({ index, message }) => [index, message.content])).toEqual([
      [0, "A red circle."],
      [1, "A red circle."],
      [2, "A red circle."],
    ]);
    for (const choice of choices) {
      expect(choice).toMatchObject({
        finish_reason: "stop",
        matched_stop: EOS,
        token_ids: generator.ids,
      });
    }
    expect(generator.inputs.map(({ sampling }) => sampling.seed)).toEqual([5, 6, 7]);
    const promptTokens = generator.inputs[0]?.ids.length as number;
    expect(usage).toMatchObject({
      prompt_tokens: promptTokens,
      completion_tokens: 3 * generator.ids.length,
      total_tokens: promptTokens + 3 * generator.ids.length,
    });
  });

  test("passes the request's options to the generator", async () => {
    await post({
      messages: HELLO,
      max_completion_tokens: 7,
      max_tokens: 9,
      temperature: 0.5,
      top_p: 0,
      top_k: -1,
      min_p: 0.1,
      seed: 42,
      stop_token_ids: [5],
      ignore_eos: true,
    });
    expect(generator.inputs[0]).toMatchObject({
      maxTokens: 7,
      stopTokenIds: [5],
      sampling: { temperature: 0.5, topP: 1e-6, topK: 0, minP: 0.1, seed: 42 },
    });
  });
});

describe("a stream", () => {
  test("has the role, the text, the finish reason and [DONE], with one id", async () => {
    const response = await post({ messages: HELLO, stream: true });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
    const data = await events(response);
    expect(data.pop()).toBe("[DONE]");
    const chunks = data.map((event) => JSON.parse(event) as ChatCompletionChunk);
    const [first] = chunks as [ChatCompletionChunk];
    for (const chunk of chunks) {
      const { id, created, model, object, system_fingerprint } = chunk;
      expect({ id, created }).toEqual({ id: first.id, created: first.created });
      expect([model, object, system_fingerprint]).toEqual([
        "org/sample",
        "chat.completion.chunk",
        "fp_test",
      ]);
      expect(chunk).not.toHaveProperty("usage");
    }
    const choices = chunks.map(({ choices }) => choices[0]);
    const open = { index: 0, logprobs: null, finish_reason: null };
    expect(choices[0]).toEqual({ ...open, delta: { role: "assistant", content: "" } });
    expect(choices.at(-1)).toEqual({
      ...open,
      delta: {},
      finish_reason: "stop",
      matched_stop: EOS,
    });
    const middle = choices.slice(1, -1);
    for (const choice of middle) {
      expect(choice).toEqual({ ...open, delta: { content: expect.stringMatching(/./) as string } });
    }
    expect(middle.length).toBeGreaterThan(1);
    expect(middle.map((choice) => choice?.delta.content).join("")).toBe("A red circle.");
  });

  test("has all choices, interleaved, each with its index", async () => {
    const stream_options = { include_usage: true };
    const data = await events(await post({ messages: HELLO, stream: true, n: 3, stream_options }));
    const chunks = data.slice(0, -1).map((event) => JSON.parse(event) as ChatCompletionChunk);
    expect(chunks.pop()?.usage?.completion_tokens).toBe(3 * generator.ids.length);
    const choices = chunks.map(({ choices }) => choices[0] as ChunkChoice);
    const order = choices.map(({ index }) => index);
    // The role and the first text of each choice come before the second text of any.
    expect(order.slice(0, 9)).toEqual([0, 0, 1, 1, 2, 2, 0, 1, 2]);
    for (const index of [0, 1, 2]) {
      const own = choices.filter((choice) => choice.index === index);
      expect(own[0]?.delta).toEqual({ role: "assistant", content: "" });
      expect(own.map(({ delta }) => delta.content ?? "").join("")).toBe("A red circle.");
      expect(own.filter(({ delta }) => delta.role)).toHaveLength(1);
      expect(own.map(({ finish_reason }) => finish_reason).filter(Boolean)).toEqual(["stop"]);
      expect(own.at(-1)).toMatchObject({ finish_reason: "stop", matched_stop: EOS });
    }
  });

  test("has the usage at the end if requested", async () => {
    const stream_options = { include_usage: true };
    const data = await events(await post({ messages: HELLO, stream: true, stream_options }));
    const chunks = data.slice(0, -1).map((event) => JSON.parse(event) as ChatCompletionChunk);
    const last = chunks.pop();
    expect(last?.choices).toEqual([]);
    expect(last?.usage).toMatchObject({ completion_tokens: generator.ids.length });
    for (const chunk of chunks) expect(chunk.usage).toBeNull();
  });

  test("has the usage in every chunk if requested", async () => {
    const stream_options = { continuous_usage_stats: true };
    const data = await events(await post({ messages: HELLO, stream: true, stream_options }));
    const counts = data
      .slice(0, -1)
      .map((event) => (JSON.parse(event) as ChatCompletionChunk).usage?.completion_tokens);
    expect(counts[0]).toBe(1); // the first token is there before the first event
    expect(counts.at(-1)).toBe(generator.ids.length);
    expect(counts).toEqual(counts.toSorted((a = 0, b = 0) => a - b));
  });

  test("splits no character and leaks no stop string", async () => {
    generator = new ScriptedGenerator([...idsOf("ein 🐻 und noch eine ENDE"), EOS]);
    const data = await events(await post({ messages: HELLO, stream: true, stop: [" ENDE", "XY"] }));
    const chunks = data.slice(0, -1).map((event) => JSON.parse(event) as ChatCompletionChunk);
    const texts = chunks.map(({ choices }) => choices[0]?.delta.content ?? "");
    expect(texts.join("")).toBe("ein 🐻 und noch eine");
    expect(texts).toContain(" 🐻");
    for (const text of texts) expect(text).not.toContain("\uFFFD");
    expect(chunks.at(-1)?.choices[0]?.matched_stop).toBe(" ENDE");
  });

  test("is written even if nobody reads it", async () => {
    const ids = idsOf("A rather long answer about circles");
    generator = new ScriptedGenerator([...ids, EOS]);
    const response = await post({ messages: HELLO, stream: true });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect([generator.given, generator.ended]).toEqual([ids.length + 1, 1]);
    expect((await events(response)).at(-1)).toBe("[DONE]");
  });

  test("fails before its headers if there is no first token", async () => {
    generator = new ScriptedGenerator();
    generator.failure = new QueueFullError("64 requests wait");
    const response = await post({ messages: HELLO, stream: true });
    expect(response.status).toBe(429);
    expect(response.headers.get("content-type")).toContain("application/json");
  });

  test("has its headers and a comment before the first token, and then a failure in an event", async () => {
    let fail = (_: unknown): void => {};
    const waits = new Promise<never>((_, reject) => (fail = reject));
    generator = new ScriptedGenerator();
    generator.generate = async function* () {
      yield await waits;
    };
    const response = await post({ messages: HELLO, stream: true });
    expect(response.status).toBe(200);
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader?.read())?.value).toBe(": keep-alive\n\n");
    fail(new DeviceLostError("the GPU was lost"));
    expect((await reader?.read())?.value).toContain('data: {"error":{"message":"the GPU was lost"');
    expect((await reader?.read())?.done).toBe(true);
  });

  test("reports a later failure in its last event", async () => {
    generator = new ScriptedGenerator(idsOf("A red"));
    generator.failure = new DeviceLostError("the GPU was lost");
    const response = await post({ messages: HELLO, stream: true });
    expect(response.status).toBe(200);
    const data = await events(response);
    expect(JSON.parse(data.at(-1) as string)).toEqual({
      error: {
        message: "the GPU was lost",
        type: "server_error",
        param: null,
        code: "device_lost",
      },
    });
    expect(data).not.toContain("[DONE]");
  });
});

describe("stopping", () => {
  const stalled = (text: string) => {
    generator = new ScriptedGenerator(idsOf(text));
    generator.stalls = true;
  };

  test("an aborted request rejects with the signal's reason and stops the model", async () => {
    stalled("A");
    const controller = new AbortController();
    const response = post({ messages: HELLO }, { signal: controller.signal });
    void generator.abortStalled(controller);
    await expect(response).rejects.toMatchObject({ name: "AbortError" });
    await expect(response).rejects.toBeInstanceOf(DOMException);
    expect(generator).toMatchObject({ given: 1, ended: 1 });
  });

  test("a stream that is aborted before its first token", async () => {
    stalled("");
    const controller = new AbortController();
    const response = post({ messages: HELLO, stream: true }, { signal: controller.signal });
    void generator.abortStalled(controller);
    await expect(response).rejects.toMatchObject({ name: "AbortError" });
    expect(generator.ended).toBe(1);
  });

  test("a request that is already aborted", async () => {
    const signal = AbortSignal.abort();
    await expect(post({ messages: HELLO }, { signal })).rejects.toMatchObject({
      name: "AbortError",
    });
    expect(generator.inputs).toEqual([]);
  });

  test("a stream that is aborted while it waits for a token", async () => {
    stalled("A");
    const controller = new AbortController();
    const response = await post({ messages: HELLO, stream: true }, { signal: controller.signal });
    const text = response.text();
    void generator.abortStalled(controller);
    await expect(text).rejects.toMatchObject({ name: "AbortError" });
    expect(generator.ended).toBe(1);
  });

  test("a stream that is aborted while nobody reads it", async () => {
    stalled("A rather long answer");
    const controller = new AbortController();
    const response = await post({ messages: HELLO, stream: true }, { signal: controller.signal });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(generator.ended).toBe(0);
    controller.abort();
    await expect(response.text()).rejects.toMatchObject({ name: "AbortError" });
    expect(generator.ended).toBe(1);
  });

  test("a stream of several choices stops all of them", async () => {
    stalled("A rather long answer");
    const response = await post({ messages: HELLO, stream: true, n: 4 });
    const reader = response.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    expect(generator.inputs).toHaveLength(4);
    expect(generator.ended).toBe(4);
  });

  test.each([0, 1, 2])("a stream that is cancelled after %i events", async (count) => {
    stalled("A rather long answer");
    const response = await post({ messages: HELLO, stream: true });
    const reader = response.body?.getReader();
    for (let i = 0; i < count; i++) await reader?.read();
    await reader?.cancel();
    expect(generator.ended).toBe(1);
  });

  test("a stream that is cancelled while it waits for a token", async () => {
    stalled("A");
    const response = await post({ messages: HELLO, stream: true });
    const reader = response.body?.getReader();
    await reader?.read();
    await reader?.read();
    const waiting = reader?.read();
    await reader?.cancel();
    expect(generator.ended).toBe(1);
    expect(await waiting).toMatchObject({ done: true });
  });
});

describe("a refused body", () => {
  const image = (url: string) => ({
    messages: [
      {
        role: "user",
        content: [
          { type: "text", text: "What is it?" },
          { type: "image_url", image_url: { url } },
        ],
      },
    ],
  });
  const path = "messages[0].content[1].image_url.url";

  test.each<[string, unknown, string | null, string | null]>([
    ["text that is not JSON", "{", null, null],
    ["an empty body", "", null, null],
    ["a list", "[]", null, null],
    ["a string", '"Hello"', null, null],
    ["null", "null", null, null],
    ["no messages", {}, "missing_required_parameter", "messages"],
    ["messages of a wrong type", { messages: 1 }, "invalid_type", "messages"],
    ["a number out of range", { messages: HELLO, top_p: 2 }, "invalid_value", "top_p"],
    [
      "an unsupported field",
      { messages: HELLO, stop_regex: "a+" },
      "unsupported_parameter",
      "stop_regex",
    ],
    [
      "an unknown part",
      { messages: [{ role: "user", content: [{ type: "input_audio" }] }] },
      "unsupported_content_part",
      "messages[0].content[0]",
    ],
    [
      "more text than the context",
      { messages: [{ role: "user", content: "red circle ".repeat(2000) }] },
      "context_length_exceeded",
      "messages",
    ],
    ["an image that can't be decoded", image("data:image/png,x"), "image_parse_error", path],
    ["an empty image", image("data:image/png;base64,"), "empty_image_file", path],
    ["malformed base64", image("data:image/png;base64,@"), "invalid_base64_image", path],
    ["a PDF", image("data:application/pdf,%25PDF-1.7"), "unsupported_image_media_type", path],
    ["a missing image", image("http://127.0.0.1:1/a.png"), "failed_to_download_image", path],
  ])("%s", async (_, body, code, param) => {
    for (const stream of [false, true]) {
      const streamed = stream && typeof body === "object" ? { ...body, stream } : body;
      const response = await post(streamed);
      expect(response.status).toBe(400);
      expect(response.headers.get("x-should-retry")).toBe("false");
      expect(await response.json()).toEqual({
        error: {
          message: expect.any(String) as string,
          type: "invalid_request_error",
          param,
          code,
        },
      });
    }
    expect(generator.inputs).toEqual([]);
  });

  test.each([
    ["application/json; charset=utf-8", 200],
    ["application/vnd.api+json", 200],
    ["application/x-www-form-urlencoded", 400],
    ["text/plain", 400],
    ["application/jsonp", 400],
  ])("content type %s: %i", async (type, status) => {
    const response = await post({ messages: HELLO }, { headers: { "content-type": type } });
    expect(response.status).toBe(status);
    if (status === 400) expect(await errorOf(response)).toMatchObject({ code: null, param: null });
  });

  test("the default content type of fetch is accepted", async () => {
    expect((await post({ messages: HELLO }, { headers: {} })).status).toBe(200);
  });
});

describe("failures of the model", () => {
  test.each<[string, unknown, number, string | null]>([
    ["a full queue", new QueueFullError("64 requests wait"), 429, "queue_full"],
    ["a lost GPU", new DeviceLostError("the GPU was lost"), 503, "device_lost"],
    ["out of memory", new RangeError("Array buffer allocation failed"), 500, "out_of_memory"],
    ["a defect", new TypeError("x is not a function"), 500, null],
  ])("%s", async (_, failure, status, code) => {
    generator = new ScriptedGenerator(idsOf("A red"));
    generator.failure = failure;
    const response = await post({ messages: HELLO });
    expect(response.status).toBe(status);
    expect((await errorOf(response)).code).toBe(code);
  });
});

describe("the model's name", () => {
  test.each(["org/sample", "sample", "default", null, undefined])("%s", async (model) => {
    expect((await post({ messages: HELLO, model })).status).toBe(200);
  });

  test("another name is refused", async () => {
    const response = await post({ messages: HELLO, model: "gpt-4o" });
    expect(response.status).toBe(404);
    expect(await errorOf(response)).toEqual({
      message: "The model 'gpt-4o' is not loaded. Loaded: 'org/sample'.",
      type: "invalid_request_error",
      param: "model",
      code: "model_not_found",
    });
  });
});

test("HEAD has the status and headers of GET", async () => {
  for (const path of ["/v1/models", "/v1/models/sample", "/v1/health"]) {
    const [get, head] = [
      await handle(request(path)),
      await handle(request(path, { method: "HEAD" })),
    ];
    expect([head.status, head.headers.get("content-type")]).toEqual([
      get.status,
      get.headers.get("content-type"),
    ]);
    expect(await head.text()).toBe("");
  }
});

describe("other paths", () => {
  const entry = {
    id: "org/sample",
    object: "model",
    created: 1_700_000_000,
    owned_by: "webvlm",
    root: "org/sample",
    parent: null,
    max_model_len: 2048,
    type: "vlm",
    capabilities: ["completion", "multimodal"],
  };
  const get = async (path: string, from = handle) => {
    const response = await from(request(path));
    return { status: response.status, body: (await response.json()) as unknown };
  };

  test("models", async () => {
    expect(await get("/v1/models")).toEqual({
      status: 200,
      body: { object: "list", data: [entry] },
    });
  });

  test.each(["org/sample", "org%2Fsample", "sample", "default"])("models/%s", async (id) => {
    expect(await get(`/v1/models/${id}`)).toEqual({ status: 200, body: entry });
  });

  test.each(["other", "%E0%A4%A"])("models/%s", async (id) => {
    const { status, body } = await get(`/v1/models/${id}`);
    expect(status).toBe(404);
    expect(body).toMatchObject({ error: { code: "model_not_found", param: "model" } });
  });

  test("health", async () => {
    expect((await get("/v1/health")).status).toBe(200);
  });

  test.each(["/v1/nothing", "/v1/", "/v1/constructor", "/models", "/v1/models/", "/v2/models"])(
    "%s is unknown",
    async (path) => {
      const { status, body } = await get(path);
      expect(status).toBe(404);
      expect(body).toEqual({
        error: {
          message: `Unknown request URL: GET ${path}.`,
          type: "invalid_request_error",
          param: null,
          code: null,
        },
      });
    },
  );

  test.each([
    ["GET", "/v1/chat/completions", "POST"],
    ["POST", "/v1/models", "GET, HEAD"],
    ["DELETE", "/v1/models/org%2Fsample", "GET, HEAD"],
    ["POST", "/v1/health", "GET, HEAD"],
    ["HEAD", "/v1/tokenize", "POST"],
  ])("%s %s is refused", async (method, path, allowed) => {
    const response = await handle(request(path, { method }));
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe(allowed);
    expect(await errorOf(response)).toMatchObject({ type: "invalid_request_error", code: null });
  });

  test("another prefix", async () => {
    const options: HandlerOptions = { model: () => served, prefix: "/api/" };
    expect((await get("/api/models", createHandler(options))).status).toBe(200);
    expect((await get("/v1/models", createHandler(options))).status).toBe(404);
  });

  test("while the model is loading", async () => {
    const loading = createHandler({ model: () => undefined });
    const chatCompletion = request("/v1/chat/completions", { method: "POST", body: "{}" });
    for (const asked of [
      chatCompletion,
      request("/v1/health"),
      request("/v1/models/org%2Fsample"),
    ]) {
      const response = await loading(asked);
      expect(response.status).toBe(503);
      expect(response.headers.get("retry-after")).toMatch(/^\d+$/);
      expect(await errorOf(response)).toMatchObject({
        type: "server_error",
        code: "model_loading",
      });
    }
    expect(await get("/v1/models", loading)).toEqual({
      status: 200,
      body: { object: "list", data: [] },
    });
  });
});

describe("x-request-id", () => {
  const idOf = async (path: string, init?: RequestInit): Promise<string | null> => {
    const response = await handle(request(path, init));
    void response.body?.cancel();
    return response.headers.get("x-request-id");
  };
  const body = JSON.stringify({ messages: HELLO });

  test.each([
    ["an answer", "/v1/chat/completions", { method: "POST", body }],
    [
      "a stream",
      "/v1/chat/completions",
      { method: "POST", body: `{"stream":true,${body.slice(1)}` },
    ],
    ["an error", "/v1/chat/completions", { method: "POST", body: "{}" }],
    ["a list", "/v1/models", {}],
    ["an unknown path", "/v1/nothing", {}],
    ["a wrong method", "/v1/models", { method: "PUT" }],
  ])("%s has a new one", async (_, path, init) => {
    const ids = [await idOf(path, init), await idOf(path, init)];
    for (const id of ids) expect(id).toMatch(/^req_[0-9a-f]{32}$/);
    expect(ids[0]).not.toBe(ids[1]);
  });

  test.each(["req_mine", "0b7c-4f", "trace:1/2.3"])("%j is returned", async (id) => {
    expect(await idOf("/v1/models", { headers: { "x-request-id": id } })).toBe(id);
    expect(await idOf("/v1/nothing", { headers: { "x-request-id": id } })).toBe(id);
  });

  test.each(["", "two words", "größer", "x".repeat(129)])("%j is replaced", async (id) => {
    expect(await idOf("/v1/models", { headers: { "x-request-id": id } })).toMatch(/^req_/);
  });
});
