import { describe, expect, test } from "vitest";
import { ScriptedGenerator, scriptedModel } from "../../tests/chat-support.ts";
import { createHandler } from "./handler.ts";
import type { ErrorBody } from "./wire.ts";

const chat = scriptedModel(new ScriptedGenerator());
const served = { id: "org/sample", created: 0, fingerprint: "fp_test", chat };
const handle = createHandler({ model: () => served });
const idsOf = (text: string) => chat.tokenizer.encode(text, { addSpecialTokens: false });

const ask = async (path: string, body?: unknown, method = "POST", from = handle) => {
  const text = body === undefined ? null : JSON.stringify(body);
  const headers = { "content-type": "application/json" };
  const response = await from(
    new Request(`http://page.test/v1/${path}`, { method, headers, body: text }),
  );
  const { status } = response;
  return { status, headers: response.headers, body: (await response.json()) as unknown };
};
const errorOf = ({ body }: { body: unknown }) => (body as ErrorBody).error;

describe("tokenize", () => {
  test("accepts a text or a list of texts", async () => {
    const [one, two] = [idsOf("A red circle."), idsOf("熊 🐻")] as const;
    expect(await ask("tokenize", { prompt: "A red circle." })).toMatchObject({
      status: 200,
      body: { tokens: one, count: one.length, max_model_len: 2048 },
    });
    const { body } = await ask("tokenize", {
      model: "default",
      prompt: ["A red circle.", "熊 🐻"],
    });
    expect(body).toEqual({
      tokens: [one, two],
      count: [one.length, two.length],
      max_model_len: 2048,
    });
    expect((await ask("tokenize", { prompt: "" })).body).toMatchObject({ tokens: [], count: 0 });
    expect((await ask("tokenize", { prompt: [] })).body).toMatchObject({ tokens: [], count: [] });
  });

  test("adds special tokens by default", async () => {
    const asked: boolean[] = [];
    const tokenizer = Object.create(chat.tokenizer) as typeof chat.tokenizer;
    tokenizer.encode = (_, { addSpecialTokens }) => {
      asked.push(addSpecialTokens);
      return addSpecialTokens ? [1, 7] : [7];
    };
    const other = createHandler({ model: () => ({ ...served, chat: { ...chat, tokenizer } }) });
    const tokens = async (add_special_tokens?: boolean | null) =>
      (await ask("tokenize", { prompt: "a", add_special_tokens }, "POST", other)).body;
    expect(await tokens()).toMatchObject({ tokens: [1, 7], count: 2 });
    expect(await tokens(null)).toMatchObject({ tokens: [1, 7] });
    expect(await tokens(false)).toMatchObject({ tokens: [7], count: 1 });
    expect(asked).toEqual([true, true, false]);
  });
});

describe("detokenize", () => {
  const EOS = 1023;
  test("accepts ids or a list of lists of ids", async () => {
    const [one, two] = [idsOf("A red circle."), idsOf("熊 🐻")];
    const text = async (tokens: unknown) => (await ask("detokenize", { tokens })).body;
    expect(await text(one)).toEqual({ text: "A red circle." });
    expect(await text([one, two])).toEqual({ text: ["A red circle.", "熊 🐻"] });
    expect(await text([])).toEqual({ text: "" });
  });

  test("keeps special tokens if requested", async () => {
    const tokens = [...idsOf("a"), EOS];
    const text = async (skip_special_tokens?: boolean) =>
      (await ask("detokenize", { tokens, skip_special_tokens })).body;
    expect(await text()).toEqual({ text: "a" });
    expect(await text(true)).toEqual({ text: "a" });
    expect(await text(false)).toEqual({ text: "a<end_of_utterance>" });
  });
});

test.each<[string, unknown, string, string]>([
  ["tokenize", {}, "missing_required_parameter", "prompt"],
  ["tokenize", { prompt: 1 }, "invalid_type", "prompt"],
  ["tokenize", { prompt: ["a", 1] }, "invalid_type", "prompt[1]"],
  ["tokenize", { prompt: "a", add_special_tokens: "no" }, "invalid_type", "add_special_tokens"],
  ["detokenize", {}, "missing_required_parameter", "tokens"],
  ["detokenize", { tokens: "a" }, "invalid_type", "tokens"],
  ["detokenize", { tokens: [1, 1.5] }, "invalid_type", "tokens[1]"],
  ["detokenize", { tokens: [[1], [-1]] }, "invalid_value", "tokens[1][0]"],
])("%s %j is refused", async (path, body, code, param) => {
  const response = await ask(path, body);
  expect(response.status).toBe(400);
  expect(response.headers.get("x-should-retry")).toBe("false");
  expect(errorOf(response)).toMatchObject({ type: "invalid_request_error", code, param });
});

test("model_info", async () => {
  expect(await ask("model_info", undefined, "GET")).toMatchObject({
    status: 200,
    body: {
      id: "org/sample",
      model_path: "org/sample",
      tokenizer_path: "org/sample",
      is_generation: true,
      weight_version: "default",
      model_type: "smolvlm",
      max_model_len: 2048,
      modalities: ["text", "image"],
      has_image_understanding: true,
      has_audio_understanding: false,
    },
  });
});

test("flush_cache with and without a prefix cache", async () => {
  expect(await ask("flush_cache")).toMatchObject({ status: 200, body: { success: true } });
  let flushed = 0;
  const generator = Object.assign(new ScriptedGenerator(), { flush: () => void flushed++ });
  const caching = { ...served, chat: { ...chat, generator } };
  const from = createHandler({ model: () => caching });
  const { body } = await ask("flush_cache", undefined, "POST", from);
  expect(body).toEqual({ success: true, message: "The prefix cache was flushed." });
  expect(flushed).toBe(1);
});

test.each([
  ["tokenize", { model: "gpt-4o", prompt: "a" }],
  ["detokenize", { model: "gpt-4o", tokens: [1] }],
])("%s refuses another model", async (path, body) => {
  const response = await ask(path, body);
  expect(response.status).toBe(404);
  expect(errorOf(response)).toMatchObject({ code: "model_not_found", param: "model" });
});

test.each([
  ["GET", "tokenize", "POST"],
  ["GET", "detokenize", "POST"],
  ["POST", "model_info", "GET, HEAD"],
  ["GET", "flush_cache", "POST"],
])("%s %s is refused", async (method, path, allowed) => {
  const response = await ask(path, undefined, method);
  expect(response.status).toBe(405);
  expect(response.headers.get("allow")).toBe(allowed);
  expect(errorOf(response)).toMatchObject({ type: "invalid_request_error", code: null });
});

test.each([
  ["POST", "tokenize"],
  ["POST", "detokenize"],
  ["POST", "completions"],
  ["GET", "model_info"],
  ["POST", "flush_cache"],
])("%s %s while the model is loading", async (method, path) => {
  const loading = createHandler({ model: () => undefined });
  const response = await ask(path, undefined, method, loading);
  expect(response.status).toBe(503);
  expect(errorOf(response)).toMatchObject({ type: "server_error", code: "model_loading" });
});
