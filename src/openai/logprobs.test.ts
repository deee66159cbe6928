import { beforeEach, expect, test } from "vitest";
import { ScriptedGenerator, scriptedModel } from "../../tests/chat-support.ts";
import { createHandler } from "./handler.ts";
import type { ChatCompletion, ChatCompletionChunk, ErrorBody } from "./wire.ts";

const EOS = 1023;

let generator = new ScriptedGenerator();
const chat = scriptedModel({
  contextLength: 2048,
  generate: (input) => generator.generate(input),
});
const model = { id: "org/sample", created: 0, fingerprint: "fp_test", chat };
const handle = createHandler({ model: () => model });
const idsOf = (text: string) => chat.tokenizer.encode(text, { addSpecialTokens: false });

const TEXT = "A 🐻 circle.";

beforeEach(() => {
  generator = new ScriptedGenerator([...idsOf(TEXT), EOS]);
});

const post = (fields: object) =>
  handle(
    new Request("http://page.test/v1/chat/completions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ messages: [{ role: "user", content: "Hello" }], ...fields }),
    }),
  );

const complete = async (fields: object) => {
  const { choices } = (await (await post(fields)).json()) as ChatCompletion;
  return choices[0] ?? expect.fail("no choice");
};

const stream = async (fields: object) => {
  const events = (await (await post({ ...fields, stream: true })).text()).trim().split("\n\n");
  return events
    .slice(0, -1)
    .map((event) => (JSON.parse(event.slice("data: ".length)) as ChatCompletionChunk).choices[0]);
};

const utf8 = (bytes: readonly number[]) => new TextDecoder().decode(Uint8Array.from(bytes));

test("have OpenAI's shape, with an entry for each token of the text", async () => {
  const { logprobs } = await complete({ logprobs: true, top_logprobs: 2 });
  expect(generator.inputs[0]?.logprobs).toBe(2);
  const ids = idsOf(TEXT);
  const bytesOf = (id: number) => [...chat.tokenizer.bytes(id)];
  expect(logprobs).toEqual({
    refusal: null,
    content: ids.map((id) => ({
      token: expect.any(String) as string,
      bytes: bytesOf(id),
      logprob: -Math.LN2,
      top_logprobs: [id, id + 1].map((other, i) => ({
        token: expect.any(String) as string,
        bytes: bytesOf(other),
        logprob: -(i + 1) * Math.LN2,
      })),
    })),
  });
  const content = logprobs?.content ?? [];
  expect(utf8(content.flatMap(({ bytes }) => bytes))).toBe(TEXT);
  const whole = content.filter(({ token }) => !token.startsWith("bytes:"));
  expect(whole.map(({ token }) => token)).toEqual(whole.map(({ bytes }) => utf8(bytes)));
  expect(content.length).toBeGreaterThan(whole.length);
  expect(JSON.stringify(logprobs)).not.toContain("\uFFFD");
});

test("have only the sampled tokens without top_logprobs", async () => {
  const { logprobs } = await complete({ logprobs: true });
  expect(generator.inputs[0]?.logprobs).toBe(0);
  expect(logprobs?.content.length).toBe(idsOf(TEXT).length);
  expect(logprobs?.content[0]?.top_logprobs).toEqual([]);
});

test.each([{}, { logprobs: false }, { logprobs: null, top_logprobs: 0 }])(
  "%o tells none",
  async (fields) => {
    expect((await complete(fields)).logprobs).toBeNull();
    expect(generator.inputs[0]?.logprobs).toBeUndefined();
    for (const choice of await stream(fields)) expect(choice?.logprobs).toBeNull();
  },
);

test("of the chunks of a stream are together those of the whole answer", async () => {
  const fields = { logprobs: true, top_logprobs: 3 };
  const { logprobs } = await complete(fields);
  const choices = await stream(fields);
  expect(choices[0]?.logprobs).toBeNull();
  for (const choice of choices.slice(1, -1)) {
    const bytes = choice?.logprobs?.content.flatMap((place) => place.bytes) ?? [];
    expect(utf8(bytes)).toBe(choice?.delta.content);
  }
  expect(choices.flatMap((choice) => choice?.logprobs?.content ?? [])).toEqual(logprobs?.content);
});

test("are separate for each choice", async () => {
  const response = await post({ logprobs: true, n: 2 });
  const { choices } = (await response.json()) as ChatCompletion;
  const lengths = choices.map(({ logprobs }) => logprobs?.content.length);
  expect(lengths).toEqual([idsOf(TEXT).length, idsOf(TEXT).length]);
});

test("include the stop token if it is in the text", async () => {
  const fields = { logprobs: true, no_stop_trim: true, skip_special_tokens: false };
  const { logprobs, message } = await complete(fields);
  expect(utf8((logprobs?.content ?? []).flatMap(({ bytes }) => bytes))).toBe(message.content);
  expect(message.content?.length).toBeGreaterThan(TEXT.length);
});

test.each<[object, string, string]>([
  [{ logprobs: true, top_logprobs: 21 }, "top_logprobs", "an integer from 0 to 20"],
  [{ logprobs: true, top_logprobs: -1 }, "top_logprobs", "an integer from 0 to 20"],
  [{ top_logprobs: 2 }, "top_logprobs", "0 unless 'logprobs' is true"],
  [{ logprobs: false, top_logprobs: 2 }, "top_logprobs", "0 unless 'logprobs' is true"],
])("%o is refused", async (fields, param, expected) => {
  const response = await post(fields);
  expect(response.status).toBe(400);
  const { error } = (await response.json()) as ErrorBody;
  expect(error).toMatchObject({ code: "invalid_value", param });
  expect(error.message).toContain(`Invalid value for '${param}': expected ${expected}`);
});

test("a `logprobs` of the wrong type is refused", async () => {
  const { error } = (await (await post({ logprobs: 5 })).json()) as ErrorBody;
  expect(error).toMatchObject({ code: "invalid_type", param: "logprobs" });
});
