import { beforeAll, describe, expect, test } from "vitest";
import { differences } from "./openai-types.ts";

const message = { role: "assistant", content: "Hi", refusal: null };
const choice = { index: 0, message, logprobs: null, finish_reason: "stop" };
const completion = {
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 1,
  model: "m",
  choices: [choice],
};

// Compiling the package's types takes a while.
beforeAll(() => void differences({}, "ChatCompletion"), 60_000);

describe("differences", () => {
  test("of what fits there are none", () => {
    expect(differences(completion, "ChatCompletion")).toEqual({ wrong: [], extra: [] });
  });

  test.each<[string, object, string]>([
    ["a key that is missing", { id: undefined }, "id is missing"],
    ["a wrong type", { created: "1" }, 'created is "1", expected number'],
    ["a wrong literal", { object: "x" }, 'object is "x", expected "chat.completion"'],
    ["null", { choices: null }, "choices is null, expected Choice[]"],
    ["an object for a list", { choices: {} }, "choices is {}, expected Choice[]"],
    [
      "something within",
      { choices: [choice, { ...choice, message: { ...message, content: 1 } }] },
      "choices[].message.content is 1, expected string | null",
    ],
    [
      "a key that is missing within",
      { choices: [{ ...choice, logprobs: undefined }] },
      "choices[].logprobs is missing",
    ],
    [
      "none of a union",
      { choices: [{ ...choice, finish_reason: "abort" }] },
      'choices[].finish_reason is "abort"',
    ],
  ])("%s", (_, fields, expected) => {
    const value: unknown = JSON.parse(JSON.stringify({ ...completion, ...fields }));
    const { wrong, extra } = differences(value, "ChatCompletion");
    expect(wrong).toEqual([expect.stringContaining(expected)]);
    expect(extra).toEqual([]);
  });

  test("keys that the type does not have, each once", () => {
    const odd = { ...choice, matched_stop: 1 };
    const value = { ...completion, choices: [odd, odd], metadata: {} };
    const extra = ["choices[].matched_stop", "metadata"];
    expect(differences(value, "ChatCompletion")).toEqual({ wrong: [], extra });
  });

  test("from the member of a union that is meant", () => {
    const event = { type: "response.output_text.done", text: "Hi", sequence_number: 1 };
    const { wrong } = differences(event, "Responses.ResponseStreamEvent");
    expect(wrong).toContain("item_id is missing");
    expect(wrong.join()).not.toContain("type is");
  });

  test("none from any string beside literals", () => {
    const wrong = (model: unknown) => differences({ model }, "Responses.Response").wrong.join();
    expect(wrong("org/sample")).not.toContain("model");
    expect(wrong(1)).toContain("model is 1, expected ");
  });

  test("from a type that there is none of", () => {
    expect(() => differences({}, "ChatCompletions")).toThrow(/exports no type ChatCompletions/);
  });
});
