import OpenAI from "openai";
import { beforeEach, describe, expect, expectTypeOf, test } from "vitest";
import { ScriptedGenerator, scriptedModel } from "../../tests/chat-support.ts";
import { QueueFullError } from "../engine/generation.ts";
import { DeviceLostError } from "../platform/device-error.ts";
import { createHandler } from "./handler.ts";
import type { Completion, CompletionRequest, ErrorBody } from "./wire.ts";

const EOS = 1023;

let generator: ScriptedGenerator;
let client: OpenAI;
let handle: (request: Request) => Promise<Response>;
const { tokenizer, processor } = scriptedModel(new ScriptedGenerator());
const idsOf = (text: string) => tokenizer.encode(text, { addSpecialTokens: false });

beforeEach(() => {
  generator = new ScriptedGenerator([...idsOf(" red circle."), EOS]);
  const served = {
    id: "org/sample",
    created: 0,
    fingerprint: "fp",
    chat: scriptedModel(generator),
  };
  handle = createHandler({ model: () => served });
  client = new OpenAI({
    apiKey: "none",
    baseURL: "http://local.test/v1",
    fetch: (url, init) => handle(new Request(url, init)),
    maxRetries: 0,
  });
});

const post = (body: unknown, init: RequestInit = {}) =>
  handle(
    new Request("http://page.test/v1/completions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      ...init,
    }),
  );

const create = async (body: unknown) => (await (await post(body)).json()) as Completion;

/** The events of a stream without its last event, which must be [DONE]. */
async function streamed(body: object): Promise<Completion[]> {
  const response = await post({ ...body, stream: true });
  expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
  const data = (await response.text()).trimEnd().split("\n\n");
  expect(data.pop()).toBe("data: [DONE]");
  return data.map((event) => JSON.parse(event.slice("data: ".length)) as Completion);
}

const textOf = (events: readonly Completion[], index: number) =>
  events
    .flatMap(({ choices }) => choices)
    .filter((choice) => choice.index === index)
    .map(({ text }) => text)
    .join("");

describe("a completion", () => {
  test("has OpenAI's shape, with SGLang's additions", async () => {
    const promptTokens = idsOf("Here is a").length;
    expect(await create({ model: "default", prompt: "Here is a" })).toEqual({
      id: expect.stringMatching(/^cmpl-\w{32}$/) as string,
      object: "text_completion",
      created: expect.any(Number) as number,
      model: "org/sample",
      system_fingerprint: "fp",
      choices: [
        {
          index: 0,
          text: " red circle.",
          logprobs: null,
          finish_reason: "stop",
          matched_stop: EOS,
        },
      ],
      usage: {
        prompt_tokens: promptTokens,
        completion_tokens: generator.ids.length,
        total_tokens: promptTokens + generator.ids.length,
        prompt_tokens_details: { cached_tokens: 0, image_tokens: 0 },
        completion_tokens_details: { reasoning_tokens: 0 },
        reasoning_tokens: 0,
      },
    });
    // No chat template is applied.
    expect(generator.inputs[0]).toMatchObject({ ids: idsOf("Here is a"), images: [] });
  });

  test("passes the request's options to the generator", async () => {
    await create({
      prompt: "a",
      temperature: 0.5,
      top_p: 0.9,
      top_k: 3,
      min_p: 0.1,
      seed: 42,
      frequency_penalty: 0.1,
      presence_penalty: 0.2,
      repetition_penalty: 1.3,
      logit_bias: { "5": -4 },
      min_tokens: 2,
      max_tokens: 7,
      stop_token_ids: [5],
      ignore_eos: true,
    });
    await create({ prompt: "a" });
    expect(generator.inputs[0]).toMatchObject({
      maxTokens: 7,
      minTokens: 2,
      stopTokenIds: [5],
      sampling: {
        temperature: 0.5,
        topP: 0.9,
        topK: 3,
        minP: 0.1,
        seed: 42,
        frequencyPenalty: 0.1,
        presencePenalty: 0.2,
        repetitionPenalty: 1.3,
        logitBias: new Map([[5, -4]]),
      },
    });
    expect(generator.inputs[1]).toMatchObject({ maxTokens: 16, stopTokenIds: [EOS] });
  });

  test("ends at a stop string, which it may keep", async () => {
    const ended = await create({ prompt: "a", stop: [" cir"] });
    expect(ended.choices[0]).toMatchObject({ text: " red", matched_stop: " cir" });
    const kept = await create({ prompt: "a", stop: " cir", no_stop_trim: true });
    expect(kept.choices[0]).toMatchObject({ text: " red cir", matched_stop: " cir" });
  });

  test("ends at the length limit", async () => {
    const { choices } = await create({ prompt: "a", max_tokens: 2 });
    expect(choices[0]).toMatchObject({ finish_reason: "length", matched_stop: null });
  });

  test.each<[string, CompletionRequest["prompt"], string[]]>([
    ["a text", "Here is a", ["Here is a"]],
    ["texts", ["Here is a", "And a"], ["Here is a", "And a"]],
    ["token ids", idsOf("Here is a"), ["Here is a"]],
    ["lists of token ids", [idsOf("Here is a"), idsOf("And a")], ["Here is a", "And a"]],
  ])("of %s", async (_, prompt, texts) => {
    const { choices, usage } = await create({ prompt, echo: true });
    expect(choices.map(({ index, text }) => [index, text])).toEqual(
      texts.map((text, i) => [i, `${text} red circle.`]),
    );
    expect(generator.inputs.map(({ ids }) => ids)).toEqual(texts.map(idsOf));
    const prompts = texts.flatMap(idsOf).length;
    const completions = generator.ids.length * texts.length;
    expect(usage).toMatchObject({
      prompt_tokens: prompts,
      completion_tokens: completions,
      total_tokens: prompts + completions,
    });
  });

  test("has n choices for each prompt, with successive seeds", async () => {
    const body = { prompt: ["a", "b"], n: 2, seed: 7, echo: true };
    const { choices, usage } = await create(body);
    const texts = ["a", "a", "b", "b"].map((prompt, i) => [i, `${prompt} red circle.`]);
    expect(choices.map(({ index, text }) => [index, text])).toEqual(texts);
    expect(generator.inputs.map(({ sampling }) => sampling.seed)).toEqual([7, 8, 7, 8]);
    expect(usage?.prompt_tokens).toBe(idsOf("a").length + idsOf("b").length);
    expect(usage?.completion_tokens).toBe(4 * generator.ids.length);
    const events = await streamed(body);
    for (const [index, text] of texts) expect(textOf(events, index as number)).toBe(text);
  });
});

describe("a stream of completions", () => {
  test("has the text, the finish reason and [DONE], with one id", async () => {
    const events = await streamed({ prompt: "Here is a", echo: true });
    const [first] = events as [Completion];
    for (const { id, created, object, model } of events) {
      expect({ id, created }).toEqual({ id: first.id, created: first.created });
      expect([object, model]).toEqual(["text_completion", "org/sample"]);
    }
    expect(textOf(events, 0)).toBe("Here is a red circle.");
    expect(events.length).toBeGreaterThan(3);
    const ends = events.flatMap(({ choices }) => choices.map((choice) => choice.finish_reason));
    expect(ends.pop()).toBe("stop");
    expect(new Set(ends)).toEqual(new Set([null]));
    for (const event of events) expect(event).not.toHaveProperty("usage");
  });

  test("has the usage if requested, at the end or in every event", async () => {
    const at = await streamed({ prompt: "a", stream_options: { include_usage: true } });
    expect(at.pop()).toMatchObject({
      choices: [],
      usage: { completion_tokens: generator.ids.length },
    });
    for (const event of at) expect(event.usage).toBeNull();
    const all = await streamed({ prompt: "a", stream_options: { continuous_usage_stats: true } });
    const counts = all.map(({ usage }) => usage?.completion_tokens ?? NaN);
    expect(counts.at(-1)).toBe(generator.ids.length);
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
  });

  test("fails before its headers if there is no first token, and later in an event", async () => {
    generator.failure = new QueueFullError("64 requests wait");
    generator.ids = [];
    expect((await post({ prompt: "a", stream: true })).status).toBe(429);
    generator.failure = new DeviceLostError("the GPU was lost");
    generator.ids = idsOf(" red");
    const response = await post({ prompt: "a", stream: true });
    expect(response.status).toBe(200);
    const last = (await response.text()).trimEnd().split("\n\n").at(-1) as string;
    expect(JSON.parse(last.slice("data: ".length))).toMatchObject({
      error: { code: "device_lost" },
    });
  });

  test("stops all choices of all prompts when it is cancelled", async () => {
    generator.ids = idsOf(" a rather long answer");
    generator.stalls = true;
    const response = await post({ prompt: ["a", "b"], n: 2, stream: true });
    const reader = response.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    expect(generator.ended).toBe(4);
    expect(generator.inputs).toHaveLength(4);
  });

  test("stops the model when it is cancelled while it waits for a token", async () => {
    generator.ids = idsOf(" a");
    generator.stalls = true;
    const response = await post({ prompt: "a", stream: true });
    const reader = response.body?.getReader();
    for (let i = 0; i < generator.ids.length; i++) await reader?.read();
    const waiting = reader?.read();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(generator.ended).toBe(0);
    await reader?.cancel();
    expect(generator.ended).toBe(1);
    expect(await waiting).toMatchObject({ done: true });
  });

  test("stops the model when it is aborted", async () => {
    generator.stalls = true;
    generator.ids = [];
    const controller = new AbortController();
    const response = post({ prompt: "a" }, { signal: controller.signal });
    void generator.abortStalled(controller);
    await expect(response).rejects.toMatchObject({ name: "AbortError" });
    expect(generator.ended).toBe(1);
  });
});

describe("a refused body", () => {
  test.each<[string, unknown, string, string]>([
    ["no prompt", {}, "missing_required_parameter", "prompt"],
    ["null", { prompt: null }, "invalid_type", "prompt"],
    ["a number", { prompt: 1 }, "invalid_type", "prompt"],
    ["a mixed list", { prompt: ["a", 1] }, "invalid_type", "prompt[1]"],
    ["a mixed list of lists", { prompt: [[1], [2, "a"]] }, "invalid_type", "prompt[1][1]"],
    ["an empty list", { prompt: [] }, "invalid_value", "prompt"],
    ["an empty text", { prompt: "" }, "invalid_value", "prompt"],
    ["an empty text in a list", { prompt: ["a", ""] }, "invalid_value", "prompt[1]"],
    ["an unknown token id", { prompt: [5, 1_000_000] }, "invalid_value", "prompt"],
    ["an image token", { prompt: [processor.imageTokenId] }, "invalid_value", "prompt"],
    ["the placeholder of an image", { prompt: "see <image>" }, "invalid_value", "prompt"],
    ["a negative id", { prompt: [-1] }, "invalid_value", "prompt[0]"],
    ["max_tokens 0", { prompt: "a", max_tokens: 0 }, "invalid_value", "max_tokens"],
    ["n 9", { prompt: "a", n: 9 }, "invalid_value", "n"],
    ["echo 1", { prompt: "a", echo: 1 }, "invalid_type", "echo"],
    ["a suffix", { prompt: "a", suffix: "b" }, "unsupported_parameter", "suffix"],
    ["logprobs", { prompt: "a", logprobs: 0 }, "unsupported_parameter", "logprobs"],
    ["best_of", { prompt: "a", best_of: 2 }, "unsupported_parameter", "best_of"],
    [
      "more text than the context",
      { prompt: ["a", "red circle ".repeat(2000)], max_tokens: 1 },
      "context_length_exceeded",
      "prompt[1]",
    ],
  ])("%s", async (_, body, code, param) => {
    for (const stream of [false, true]) {
      const response = await post({ ...(body as object), stream });
      expect(response.status).toBe(400);
      const { error } = (await response.json()) as ErrorBody;
      expect(error).toMatchObject({ type: "invalid_request_error", code, param });
    }
    expect(generator.inputs).toEqual([]);
  });

  test("values that ask for nothing are accepted", async () => {
    const nothing = { suffix: "", logprobs: null, best_of: 1, logit_bias: {}, user: "me" };
    expect((await post({ prompt: "a", ...nothing })).status).toBe(200);
  });

  test("another model is refused", async () => {
    const response = await post({ model: "gpt-4o", prompt: "a" });
    expect(response.status).toBe(404);
    expect(((await response.json()) as ErrorBody).error.code).toBe("model_not_found");
  });

  test("another method is refused", async () => {
    const response = await handle(new Request("http://page.test/v1/completions"));
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe("POST");
  });
});

describe("OpenAI's own client", () => {
  test("reads a completion", async () => {
    const answer = await client.completions.create({ model: "default", prompt: "Here is a", n: 2 });
    expect(answer.choices.map(({ text }) => text)).toEqual([" red circle.", " red circle."]);
    expect(answer.usage?.completion_tokens).toBe(2 * generator.ids.length);
  });

  test("reads a stream", async () => {
    const stream = await client.completions.create({
      model: "default",
      prompt: ["Here is a", "And a"],
      stream: true,
      stream_options: { include_usage: true },
    });
    const texts = ["", ""];
    let total = 0;
    for await (const { choices, usage } of stream) {
      for (const { index, text } of choices) texts[index] += text;
      total = usage?.total_tokens ?? total;
    }
    expect(texts).toEqual([" red circle.", " red circle."]);
    expect(total).toBe(
      2 * generator.ids.length + idsOf("Here is a").length + idsOf("And a").length,
    );
  });

  test("throws its own errors", async () => {
    const unsupported = client.completions.create({ model: "default", prompt: "a", suffix: "b" });
    await expect(unsupported).rejects.toBeInstanceOf(OpenAI.BadRequestError);
    await expect(unsupported).rejects.toMatchObject({ param: "suffix" });
  });

  test("has the types of wire.ts", () => {
    // OpenAI's type lacks `finish_reason: null`, although OpenAI sends it.
    type Choice = Omit<OpenAI.CompletionChoice, "finish_reason">;
    expectTypeOf<Completion["choices"][number]>().toExtend<Choice>();
    expectTypeOf<CompletionRequest["prompt"]>().toExtend<OpenAI.CompletionCreateParams["prompt"]>();
  });
});
