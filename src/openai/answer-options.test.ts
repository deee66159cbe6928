import { beforeEach, describe, expect, test } from "vitest";
import { ScriptedGenerator, scriptedModel } from "../../tests/chat-support.ts";
import { createHandler } from "./handler.ts";
import type { ErrorBody } from "./wire.ts";

const EOS = 1023;

let generator = new ScriptedGenerator();
const chat = scriptedModel({
  get contextLength() {
    return generator.contextLength;
  },
  generate: (input) => generator.generate(input),
});
const model = { id: "org/sample", created: 0, fingerprint: "fp_test", chat };
const handle = createHandler({ model: () => model });

beforeEach(() => {
  generator = new ScriptedGenerator([EOS]);
});

const PROMPTS = {
  "chat/completions": { messages: [{ role: "user", content: "Hello" }] },
  completions: { prompt: "Hello" },
};

const post = (path: keyof typeof PROMPTS, fields: object) =>
  handle(
    new Request(`http://page.test/v1/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ...PROMPTS[path], ...fields }),
    }),
  );

describe.each(["chat/completions", "completions"] as const)("%s", (path) => {
  test("penalties, bias and least length reach the model", async () => {
    const response = await post(path, {
      frequency_penalty: 0.5,
      presence_penalty: -0.25,
      repetition_penalty: 1.1,
      logit_bias: { "5": -100, "17": 2.5 },
      min_tokens: 3,
      max_tokens: 9,
    });
    expect(response.status).toBe(200);
    expect(generator.inputs[0]).toMatchObject({
      minTokens: 3,
      sampling: {
        frequencyPenalty: 0.5,
        presencePenalty: -0.25,
        repetitionPenalty: 1.1,
        logitBias: new Map([
          [5, -100],
          [17, 2.5],
        ]),
      },
    });
  });

  test("without them nothing is asked of the model", async () => {
    await post(path, { frequency_penalty: null, logit_bias: null, min_tokens: null });
    const { sampling, minTokens, logprobs } = generator.inputs[0] ?? expect.fail();
    expect([sampling.frequencyPenalty, sampling.presencePenalty]).toEqual([undefined, undefined]);
    expect([sampling.repetitionPenalty, sampling.logitBias?.size]).toEqual([1, 0]);
    expect([minTokens, logprobs]).toEqual([0, undefined]);
  });

  test.each<[string, unknown, string]>([
    ["frequency_penalty", 2.1, "a number from -2 to 2, but got 2.1 instead"],
    ["frequency_penalty", -2.1, "a number from -2 to 2, but got -2.1 instead"],
    ["presence_penalty", 3, "a number from -2 to 2, but got 3 instead"],
    ["repetition_penalty", 0, "a number greater than 0, at most 2, but got 0 instead"],
    ["repetition_penalty", 2.5, "a number greater than 0, at most 2, but got 2.5 instead"],
    ["logit_bias.5", 101, "a number from -100 to 100, but got 101 instead"],
    ["logit_bias.5", -101, "a number from -100 to 100, but got -101 instead"],
    ["min_tokens", -1, "at least 0, but got -1 instead"],
    ["min_tokens", 17, "an integer from 0 to 16, the most that the answer may have"],
  ])("%s of %s is refused, with the range", async (param, value, range) => {
    const fields = param.startsWith("logit_bias")
      ? { logit_bias: { "5": value } }
      : { [param]: value };
    const response = await post(path, { max_tokens: 16, ...fields });
    expect(response.status).toBe(400);
    const { error } = (await response.json()) as ErrorBody;
    expect(error).toMatchObject({ type: "invalid_request_error", code: "invalid_value", param });
    expect(error.message).toContain(`Invalid value for '${param}': expected ${range}`);
    expect(generator.inputs).toEqual([]);
  });

  test.each<[object, string]>([
    [{ cat: 1 }, "Invalid value for 'logit_bias': expected token ids as keys."],
    [{ "-1": 1 }, "Invalid value for 'logit_bias': expected token ids as keys."],
    [{ "99999": 1 }, "Invalid value for 'logit_bias': the vocabulary has no token 99999."],
  ])("a logit_bias of %o is refused", async (logit_bias, message) => {
    const response = await post(path, { logit_bias });
    expect(response.status).toBe(400);
    const { error } = (await response.json()) as ErrorBody;
    expect(error).toMatchObject({ code: "invalid_value", param: "logit_bias", message });
  });

  test.each(["frequency_penalty", "presence_penalty", "repetition_penalty", "min_tokens"])(
    "%s of a wrong type is refused",
    async (param) => {
      const response = await post(path, { [param]: "1" });
      expect(response.status).toBe(400);
      const { error } = (await response.json()) as ErrorBody;
      expect(error).toMatchObject({ code: "invalid_type", param });
    },
  );
});
