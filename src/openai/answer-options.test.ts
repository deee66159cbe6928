import { beforeEach, describe, expect, test } from "vitest";
import {
  SAMPLE,
  ScriptedGenerator,
  readCheckpoint,
  scriptedModel,
} from "../../tests/chat-support.ts";
import { chatModel } from "../chat/model.ts";
import { compileGrammar } from "../grammar/compile-grammar.ts";
import { createHandler } from "./handler.ts";
import type { ChatCompletion, Completion, ErrorBody } from "./wire.ts";

const EOS = 1023;

let generator = new ScriptedGenerator();
const chat = scriptedModel({
  get contextLength() {
    return generator.contextLength;
  },
  generate: (input) => generator.generate(input),
});
const model = { id: "org/sample", created: 0, fingerprint: "fp_test", chat };
let served = model;
const handle = createHandler({ model: () => served });
const idsOf = (text: string) => chat.tokenizer.encode(text, { addSpecialTokens: false });

beforeEach(() => {
  generator = new ScriptedGenerator([EOS]);
  served = model;
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

/** The first choice of an answer, with its text. */
async function choiceOf(response: Response) {
  const { choices } = (await response.json()) as ChatCompletion | Completion;
  const choice = choices[0] ?? expect.fail("no choice");
  const text = "text" in choice ? choice.text : choice.message.content;
  return { text, finish: choice.finish_reason, matched: choice.matched_stop };
}

describe.each(["chat/completions", "completions"] as const)("%s", (path) => {
  test("missing fields have the values of generation_config.json", async () => {
    const generation = {
      do_sample: true,
      temperature: 0.7,
      top_k: 20,
      top_p: 0.8,
      min_p: 0.1,
      repetition_penalty: 1.2,
      eos_token_id: [5, EOS],
    };
    const files = { ...readCheckpoint(SAMPLE), "generation_config.json": generation };
    served = { ...model, chat: chatModel(files, { ...chat, ...chat.images, compileGrammar }) };
    await post(path, { seed: 1 });
    const neutral = { temperature: 0, top_k: 0, top_p: 1, min_p: 0, repetition_penalty: 1 };
    await post(path, { seed: 0, ...neutral });
    expect(generator.inputs.map(({ sampling }) => sampling)).toMatchObject([
      { temperature: 0.7, topK: 20, topP: 0.8, minP: 0.1, repetitionPenalty: 1.2, seed: 1 },
      { temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 0 },
    ]);
    expect(generator.inputs[0]?.stopTokenIds).toEqual([5, EOS]);
  });

  test("any number of stop strings is allowed", async () => {
    generator.ids = [...idsOf("A red circle."), EOS];
    const stop = ["q", "w", "x", "y", "z", "Q", "W", "X", "Y", " cir"];
    const choice = await choiceOf(await post(path, { stop }));
    expect(choice).toEqual({ text: "A red", finish: "stop", matched: " cir" });
    expect((await choiceOf(await post(path, { stop: [] }))).text).toBe("A red circle.");
  });

  test("special tokens are in the text if requested", async () => {
    generator.ids = [...idsOf("a"), EOS, ...idsOf("b")];
    const text = async (fields: object) =>
      (await choiceOf(await post(path, { ignore_eos: true, max_tokens: 3, ...fields }))).text;
    expect(await text({})).toBe("ab");
    expect(await text({ skip_special_tokens: null })).toBe("ab");
    expect(await text({ skip_special_tokens: true })).toBe("ab");
    expect(await text({ skip_special_tokens: false })).toBe("a<end_of_utterance>b");
  });

  test("the generator receives cache_salt, and cached tokens are counted once", async () => {
    generator.cached = 5;
    const response = await post(path, { cache_salt: "mine", n: 2 });
    const { usage } = (await response.json()) as { usage: object };
    expect(generator.inputs.map(({ cacheSalt }) => cacheSalt)).toEqual(["mine", "mine"]);
    expect(usage).toMatchObject({ prompt_tokens_details: { cached_tokens: 5 } });
    await post(path, { cache_salt: null });
    expect(generator.inputs[2]?.cacheSalt).toBeUndefined();
    expect((await post(path, { cache_salt: 7 })).status).toBe(400);
  });

  test("the generator receives the priority", async () => {
    await post(path, { priority: -2 });
    await post(path, {});
    expect(generator.inputs.map(({ priority }) => priority)).toEqual([-2, 0]);
  });

  test("the generator receives penalties, bias and minimum length", async () => {
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

  test("without these fields the generator receives none", async () => {
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
    ["min_tokens", -1, "an integer of at least 0, but got -1 instead"],
    ["min_tokens", 17, "an integer from 0 to 16, the maximum length of this answer"],
  ])("%s of %s is refused with the range", async (param, value, range) => {
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
