import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ScriptedGenerator, dataUrl, scriptedModel } from "../../tests/chat-support.ts";
import { differences } from "../../tests/openai-types.ts";
import { expectPublished } from "../../tests/published.ts";
import { errorOf, responsesApi } from "../../tests/responses-api.ts";
import { toolModel } from "../../tests/tool-templates.ts";
import { QueueFullError } from "../engine/generation.ts";
import { DeviceLostError } from "../platform/device-error.ts";
import { type ServedModel, createHandler } from "./handler.ts";
import type { ResponseEvent, ResponseObject } from "./responses-wire.ts";

const EOS = 1023;
const CIRCLE = dataUrl("e2e/goldens/sample/red-circle.png");

let generator: ScriptedGenerator;
let handle: (request: Request) => Promise<Response>;
const chat = scriptedModel({
  get contextLength() {
    return generator.contextLength;
  },
  generate: (input) => generator.generate(input),
});
const served: ServedModel = { id: "org/sample", created: 0, fingerprint: "fp_test", chat };
const idsOf = (text: string) => chat.tokenizer.encode(text, { addSpecialTokens: false });

beforeEach(() => {
  generator = new ScriptedGenerator([...idsOf("A red circle."), EOS]);
  handle = createHandler({ model: () => served });
});

// Compiling the package's types is slow.
beforeAll(() => void differences({}, "Responses.Response"), 60_000);

const { request, post } = responsesApi((request) => handle(request));

const whole = async (body: unknown): Promise<ResponseObject> => {
  const response = await post(body);
  expect(response.status, await response.clone().text()).toBe(200);
  const answer = (await response.json()) as ResponseObject;
  expectPublished(answer, "Responses.Response");
  return answer;
};

/** The events of a stream. Checks their `event:` lines, numbers and published types. */
async function eventsOf(response: Response): Promise<ResponseEvent[]> {
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
  const text = await response.text();
  expect(text.endsWith("\n\n")).toBe(true);
  const events = text
    .slice(0, -2)
    .split("\n\n")
    .map((lines) => {
      const [, name, data] = /^event: (.*)\ndata: (.*)$/.exec(lines) ?? [];
      const event = JSON.parse(data as string) as ResponseEvent;
      expect(event.type).toBe(name);
      return event;
    });
  expect(events.map(({ sequence_number }) => sequence_number)).toEqual([...events.keys()]);
  for (const event of events) expectPublished(event, "Responses.ResponseStreamEvent");
  return events;
}

describe("a response", () => {
  test("has OpenAI's shape", async () => {
    const before = Math.floor(Date.now() / 1000);
    const answer = await whole({ input: "Hello" });
    const input_tokens = generator.inputs[0]?.ids.length as number;
    expect(answer).toEqual({
      id: expect.stringMatching(/^resp_\w{32}$/) as string,
      object: "response",
      created_at: expect.any(Number) as number,
      status: "completed",
      completed_at: expect.any(Number) as number,
      error: null,
      incomplete_details: null,
      model: "org/sample",
      output: [
        {
          type: "message",
          id: expect.stringMatching(/^msg_\w{32}$/) as string,
          status: "completed",
          role: "assistant",
          content: [{ type: "output_text", text: "A red circle.", annotations: [], logprobs: [] }],
        },
      ],
      usage: {
        input_tokens,
        input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
        output_tokens: generator.ids.length,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: input_tokens + generator.ids.length,
      },
      background: false,
      instructions: null,
      max_output_tokens: null,
      metadata: {},
      parallel_tool_calls: true,
      previous_response_id: null,
      prompt_cache_key: null,
      reasoning: { effort: null, summary: null },
      safety_identifier: null,
      service_tier: "default",
      temperature: 0,
      text: { format: { type: "text" } },
      tool_choice: "auto",
      tools: [],
      top_logprobs: 0,
      top_p: 1,
      truncation: "disabled",
    });
    expect(answer.created_at).toBeGreaterThanOrEqual(before);
    expect(answer.completed_at).toBeGreaterThanOrEqual(answer.created_at);
    expect((await whole({ input: "Hello" })).id).not.toBe(answer.id);
  });

  test("repeats the request's fields", async () => {
    const asked = {
      instructions: "Be brief.",
      max_output_tokens: 50,
      metadata: { a: "1" },
      parallel_tool_calls: false,
      prompt_cache_key: "key",
      reasoning: { effort: "low", summary: "auto" },
      safety_identifier: "somebody",
      temperature: 0.5,
      text: { format: { type: "text" }, verbosity: "low" },
      top_logprobs: 2,
      top_p: 0.9,
      truncation: "auto",
      user: "somebody",
    };
    expect(await whole({ input: "Hello", ...asked })).toMatchObject(asked);
  });

  test("passes the same options to the generator as chat completions", async () => {
    const sampling = {
      temperature: 0.5,
      top_p: 0,
      top_k: -1,
      min_p: 0.1,
      seed: 42,
      frequency_penalty: 0.1,
      presence_penalty: 0.2,
      repetition_penalty: 1.1,
      logit_bias: { 5: 1 },
      min_tokens: 2,
      stop_token_ids: [5],
      ignore_eos: true,
    };
    await whole({ input: "Hello", instructions: "Be brief.", max_output_tokens: 7, ...sampling });
    const messages = [
      { role: "system", content: "Be brief." },
      { role: "user", content: "Hello" },
    ];
    const body = JSON.stringify({ messages, max_tokens: 7, ...sampling });
    await handle(request("chat/completions", { method: "POST", body }));
    const [response, completion] = generator.inputs.map((input) => ({
      ...input,
      signal: null,
      onCached: null,
    }));
    expect(response).toEqual(completion);
    expect(response).toMatchObject({ maxTokens: 7, stopTokenIds: [5], minTokens: 2 });
  });

  test("passes an effort and variables to the template", async () => {
    const qwen = { ...served, chat: toolModel(generator, "qwen") };
    handle = createHandler({ model: () => qwen });
    const written = async (fields: object) => {
      await whole({ input: "Hello", ...fields });
      const ids = generator.inputs.at(-1)?.ids ?? [];
      return qwen.chat.tokenizer.decode(ids, { skipSpecialTokens: false });
    };
    const none = { reasoning: { effort: "none" } };
    expect(await written(none)).toMatch(/<think>\n\n<\/think>\n\n$/);
    const chat_template_kwargs = { enable_thinking: true };
    expect(await written({ ...none, chat_template_kwargs })).toMatch(/assistant\n$/);
  });

  test("ends at a stop string", async () => {
    const { output, status } = await whole({ input: "Hello", stop: "circle" });
    expect(output).toMatchObject([{ content: [{ text: "A red " }] }]);
    expect(status).toBe("completed");
  });

  test("is incomplete at the length limit", async () => {
    const answer = await whole({ input: "Hello", max_output_tokens: 2 });
    expect(answer).toMatchObject({
      status: "incomplete",
      incomplete_details: { reason: "max_output_tokens" },
      completed_at: null,
      output: [{ status: "incomplete", content: [{ text: "A red" }] }],
      usage: { output_tokens: 2 },
    });
  });

  test("has logprobs if they are included", async () => {
    const include = ["message.output_text.logprobs"];
    const { output } = await whole({ input: "Hello", include, top_logprobs: 2 });
    const [message] = output;
    if (message?.type !== "message" || message.content[0]?.type !== "output_text") {
      throw new Error("no text");
    }
    const { logprobs, text } = message.content[0];
    expect(logprobs.map(({ token }) => token).join("")).toBe(text);
    for (const { logprob, top_logprobs } of logprobs) {
      expect(logprob).toBeCloseTo(-Math.LN2);
      expect(top_logprobs).toHaveLength(2);
    }
    await whole({ input: "Hello", top_logprobs: 2 });
    expect(generator.inputs.map(({ logprobs }) => logprobs)).toEqual([2, undefined]);
  });

  test("counts image tokens for every detail", async () => {
    const counts: number[] = [];
    for (const detail of ["low", "auto", "high", "original", undefined]) {
      const content = [{ type: "input_image", image_url: CIRCLE, detail }];
      const { usage } = await whole({ input: [{ role: "user", content }] });
      counts.push(usage?.input_tokens as number);
      const seen = [{ width: 128, height: 128, tokens: 16 }];
      expect(usage?.input_tokens_details.images).toEqual(seen);
    }
    expect(generator.inputs.map(({ images }) => images.length)).toEqual([1, 1, 1, 1, 1]);
    expect(counts[3]).toBe(counts[2]);
    expect(counts[4]).toBe(counts[1]);
    expect(counts[1]).toBeGreaterThan(16);
  });

  test("supports JSON formats", async () => {
    const schema = { type: "object", properties: { shape: { type: "string" } } };
    const format = { type: "json_schema", name: "answer", schema, strict: true };
    generator.ids = [...idsOf('{"shape": "circle"}'), EOS];
    const { text } = await whole({ input: "Hello", text: { format } });
    expect(text).toEqual({ format });
    await whole({ input: "Hello", text: { format: { type: "json_object" } } });
    await whole({ input: "Hello" });
    expect(generator.inputs.map(({ constraint }) => constraint !== undefined)).toEqual([
      true,
      true,
      false,
    ]);
  });
});

test.each([
  [{ type: "triangle" }, "text.format.schema"],
  [{ $ref: "#/$defs/nothing" }, "text.format.schema"],
])("a format that no answer can match is refused: %j", async (schema, param) => {
  const format = { type: "json_schema", name: "answer", schema };
  const error = await errorOf(await post({ input: "Hello", text: { format } }));
  expect(error).toMatchObject({ status: 400, param });
  expect(generator.inputs).toEqual([]);
});

describe("a stream", () => {
  test("has the events of the answer in order", async () => {
    const events = await eventsOf(await post({ input: "Hello", stream: true }));
    expect(events.map(({ type }) => type)).toEqual([
      "response.created",
      "response.in_progress",
      "response.output_item.added",
      "response.content_part.added",
      ...Array<string>(4).fill("response.output_text.delta"),
      "response.output_text.done",
      "response.content_part.done",
      "response.output_item.done",
      "response.completed",
    ]);
    const [created, begun, ...rest] = events;
    expect(created).toMatchObject({ response: { status: "in_progress", output: [] } });
    expect(begun).toEqual({ ...created, type: "response.in_progress", sequence_number: 1 });
    const deltas = rest.flatMap((event) => ("delta" in event ? [event.delta] : []));
    expect(deltas.join("")).toBe("A red circle.");
    expect(rest.at(-2)).toMatchObject({ item: { content: [{ text: "A red circle." }] } });
    const last = rest.at(-1);
    if (!last || !("response" in last) || !created || !("response" in created)) {
      throw new Error("no response");
    }
    expect(last.response).toMatchObject({
      ...created.response,
      status: "completed",
      completed_at: expect.any(Number) as number,
      output: [{ status: "completed", content: [{ text: "A red circle." }] }],
      usage: { output_tokens: generator.ids.length },
    });
  });

  test("is incomplete at the length limit", async () => {
    const events = await eventsOf(
      await post({ input: "Hello", stream: true, max_output_tokens: 2 }),
    );
    expect(events.at(-2)).toMatchObject({ item: { status: "incomplete" } });
    expect(events.at(-1)).toMatchObject({
      type: "response.incomplete",
      response: { status: "incomplete", incomplete_details: { reason: "max_output_tokens" } },
    });
  });

  test("has the logprobs of each delta", async () => {
    const include = ["message.output_text.logprobs"];
    const events = await eventsOf(await post({ input: "Hello", stream: true, include }));
    for (const event of events) {
      if (event.type !== "response.output_text.delta") continue;
      expect(event.logprobs.map(({ token }) => token)).toEqual([event.delta]);
    }
    const done = events.find(({ type }) => type === "response.output_text.done");
    expect(done).toMatchObject({ logprobs: { length: 4 } });
  });

  test("fails before its headers if there is no first token", async () => {
    generator.ids = [];
    generator.failure = new QueueFullError("64 requests wait");
    const response = await post({ input: "Hello", stream: true });
    expect(await errorOf(response)).toMatchObject({ status: 429, code: "queue_full" });
  });

  test("reports a later failure, and stores nothing", async () => {
    generator.ids = idsOf("A red");
    generator.failure = new DeviceLostError("the GPU was lost");
    const events = await eventsOf(await post({ input: "Hello", stream: true }));
    const [failed, error] = events.slice(-2);
    expect(failed).toMatchObject({
      type: "response.failed",
      response: {
        status: "failed",
        error: { code: "server_error", message: "the GPU was lost" },
        completed_at: null,
      },
    });
    const details = { message: "the GPU was lost", param: null, code: "device_lost" };
    expect(error).toMatchObject({
      type: "error",
      ...details,
      error: { type: "server_error", ...details },
    });
    const id = failed && "response" in failed ? failed.response.id : "";
    expect((await handle(request(`responses/${id}`))).status).toBe(404);
  });
});

describe("stopping", () => {
  beforeEach(() => {
    generator.ids = idsOf("A rather long answer");
    generator.stalls = true;
  });

  test("an aborted request rejects with the signal's reason and stops the model", async () => {
    for (const stream of [false, true]) {
      generator.ids = [];
      const controller = new AbortController();
      const response = post({ input: "Hello", stream }, { signal: controller.signal });
      void generator.abortStalled(controller);
      await expect(response).rejects.toMatchObject({ name: "AbortError" });
    }
    expect(generator.ended).toBe(2);
  });

  test("a stream that is aborted", async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const response = await post({ input: "Hello", stream: true }, { signal });
    const text = response.text();
    void generator.abortStalled(controller);
    await expect(text).rejects.toMatchObject({ name: "AbortError" });
    expect(generator.ended).toBe(1);
  });

  test.each([0, 1, 3, 5])("a stream that is cancelled after %i events", async (count) => {
    const response = await post({ input: "Hello", stream: true });
    const reader = response.body?.getReader();
    for (let i = 0; i < count; i++) await reader?.read();
    await reader?.cancel();
    expect(generator.ended).toBe(1);
    expect(generator.given).toBeLessThan(generator.ids.length);
  });
});

test("the model's name", async () => {
  for (const model of ["org/sample", "default", null]) await whole({ input: "Hello", model });
  const error = await errorOf(await post({ input: "Hello", model: "gpt-4o" }));
  expect(error).toMatchObject({ status: 404, code: "model_not_found", param: "model" });
});
