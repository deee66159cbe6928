import OpenAI from "openai";
import { beforeEach, describe, expect, expectTypeOf, test, vi } from "vitest";
import { ScriptedGenerator, dataUrl, scriptedModel } from "../../tests/chat-support.ts";
import { DeviceLostError, OutOfMemoryError } from "../platform/device-error.ts";
import { createHandler } from "./handler.ts";
import type { ChatCompletion, ChatCompletionChunk, ChatCompletionRequest } from "./wire.ts";

const EOS = 1023;

let generator: ScriptedGenerator;
let client: OpenAI;
let requests: number;
const tokenizer = scriptedModel(new ScriptedGenerator()).tokenizer;

beforeEach(() => {
  const ids = tokenizer.encode("A red circle.", { addSpecialTokens: false });
  generator = new ScriptedGenerator([...ids, EOS]);
  requests = 0;
  const chat = scriptedModel(generator);
  const served = { id: "org/sample", created: 0, fingerprint: "fp_test", chat };
  const handle = createHandler({ model: () => served });
  client = new OpenAI({
    apiKey: "none",
    baseURL: "http://local.test/v1",
    fetch: (url, init) => {
      requests++;
      return handle(new Request(url, init));
    },
  });
});

const messages: OpenAI.ChatCompletionMessageParam[] = [
  {
    role: "user",
    content: [
      { type: "image_url", image_url: { url: dataUrl("e2e/goldens/sample/red-circle.png") } },
      { type: "text", text: "What is in this image?" },
    ],
  },
];

describe("OpenAI's own client", () => {
  test("reads an answer", async () => {
    const answer = await client.chat.completions.create({ model: "org/sample", messages });
    expect(answer.choices[0]?.message.content).toBe("A red circle.");
    expect(answer.usage?.completion_tokens).toBe(generator.ids.length);
  });

  test("reads a stream", async () => {
    const stream = client.chat.completions.stream({
      model: "default",
      messages,
      stream_options: { include_usage: true, include_progress: true } as object,
    });
    let text = "";
    stream.on("content", (delta) => (text += delta));
    const final = await stream.finalChatCompletion();
    expect(text).toBe("A red circle.");
    expect(final.choices[0]).toMatchObject({
      message: { role: "assistant", content: "A red circle." },
      finish_reason: "stop",
    });
    expect((await stream.totalUsage()).total_tokens).toBe(
      (generator.inputs[0]?.ids.length as number) + generator.ids.length,
    );
  });

  test("reads several choices, streamed and not", async () => {
    const body = { model: "default", messages, n: 3, seed: 1 };
    const texts = ["A red circle.", "A red circle.", "A red circle."];
    const answer = await client.chat.completions.create(body);
    expect(answer.choices.map(({ message }) => message.content)).toEqual(texts);
    expect(answer.usage?.completion_tokens).toBe(3 * generator.ids.length);
    const final = await client.chat.completions.stream(body).finalChatCompletion();
    expect(final.choices.map(({ message }) => message.content)).toEqual(texts);
    expect(final.choices.map(({ index }) => index)).toEqual([0, 1, 2]);
  });

  test("stops the model when it leaves a stream", async () => {
    generator.ids = generator.ids.slice(0, 3);
    generator.stalls = true; // It would go on: a stream is written whether it is read or not.
    const stream = await client.chat.completions.create({
      model: "default",
      messages,
      stream: true,
    });
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
    await expect.poll(() => generator.ended).toBe(1);
  });

  test("reads request ids", async () => {
    const headers = { "x-request-id": "req_mine" };
    const body = { model: "default", messages };
    const answer = await client.chat.completions.create(body, { headers });
    expect(answer._request_id).toBe("req_mine");
    const stream = client.chat.completions.create({ ...body, stream: true });
    expect((await stream.withResponse()).request_id).toMatch(/^req_[0-9a-f]{32}$/);
    const refused = client.chat.completions.create({ ...body, model: "gpt-4o" }, { headers });
    await expect(refused).rejects.toMatchObject({ requestID: "req_mine" });
  });

  test("throws its own errors, and does not retry requests that can't succeed", async () => {
    const wrong = client.chat.completions.create({ model: "gpt-4o", messages });
    await expect(wrong).rejects.toBeInstanceOf(OpenAI.NotFoundError);
    await expect(wrong).rejects.toMatchObject({ code: "model_not_found", param: "model" });
    expect(requests).toBe(1);

    const parts = [{ type: "image_url" as const, image_url: { url: "data:image/png;base64,@" } }];
    const unreadable = client.chat.completions.create({
      model: "default",
      messages: [{ role: "user", content: parts }],
    });
    await expect(unreadable).rejects.toBeInstanceOf(OpenAI.BadRequestError);
    await expect(unreadable).rejects.toMatchObject({ code: "invalid_base64_image" });

    generator.failure = new OutOfMemoryError("the GPU is full");
    generator.ids = [];
    requests = 0;
    const full = client.chat.completions.create({ model: "default", messages });
    await expect(full).rejects.toBeInstanceOf(OpenAI.InternalServerError);
    await expect(full).rejects.toMatchObject({ code: "out_of_memory" });
    expect(requests).toBe(1);
  });

  test("throws a failure within a stream", async () => {
    generator.ids = generator.ids.slice(0, 2);
    generator.failure = new DeviceLostError("the GPU was lost");
    const stream = await client.chat.completions.create({
      model: "default",
      messages,
      stream: true,
    });
    const read = async () => {
      for await (const chunk of stream) expect(chunk.object).toBe("chat.completion.chunk");
    };
    await expect(read()).rejects.toMatchObject({ code: "device_lost" });
  });

  test("lists models", async () => {
    const ids = [];
    for await (const model of client.models.list()) ids.push(model.id);
    expect(ids).toEqual(["org/sample"]);
    expect((await client.models.retrieve("org/sample")).id).toBe("org/sample");
  });

  test("aborts a request", async () => {
    generator.ids = [];
    generator.stalls = true;
    const controller = new AbortController();
    const { signal } = controller;
    const answer = client.chat.completions.create({ model: "default", messages }, { signal });
    void generator.abortStalled(controller);
    await expect(answer).rejects.toBeInstanceOf(OpenAI.APIUserAbortError);
    await vi.waitUntil(() => generator.ended === 1);
  });
});

test("the types of wire.ts match OpenAI's", () => {
  expectTypeOf<ChatCompletion>().toExtend<OpenAI.ChatCompletion>();
  expectTypeOf<ChatCompletionChunk>().toExtend<OpenAI.ChatCompletionChunk>();
  expectTypeOf<ChatCompletionRequest["stop"]>().toExtend<
    OpenAI.ChatCompletionCreateParams["stop"]
  >();
});
