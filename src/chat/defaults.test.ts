import { describe, expect, test } from "vitest";
import { SAMPLE, readCheckpoint } from "../../tests/chat-support.ts";
import { Tokenizer } from "../text/tokenizer.ts";
import { generationDefaults } from "./defaults.ts";

const files = readCheckpoint(SAMPLE);
const tokenizer = new Tokenizer(files["tokenizer.json"] as object, {});
const withEos = new Tokenizer(files["tokenizer.json"] as object, { eos_token: "<|im_end|>" });

describe("sampling", () => {
  const read = (config?: object) =>
    generationDefaults({ "generation_config.json": config }, tokenizer).sampling;
  const greedy = { temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1 };

  test.each([
    ["no file", undefined, greedy],
    ["do_sample missing", { temperature: 0.7 }, greedy],
    ["do_sample false", { do_sample: false, temperature: 0.7, top_k: 5 }, { ...greedy, topK: 5 }],
    ["do_sample true", { do_sample: true }, { ...greedy, temperature: 1, topK: 50 }],
    ["every token", { do_sample: true, top_k: 0 }, { ...greedy, temperature: 1 }],
    [
      "all settings",
      { do_sample: true, temperature: 0.1, top_k: 20, top_p: 0.8, min_p: 0.05 },
      { ...greedy, temperature: 0.1, topK: 20, topP: 0.8, minP: 0.05 },
    ],
    [
      "repetition_penalty without do_sample",
      { do_sample: false, repetition_penalty: 1.05 },
      { ...greedy, repetitionPenalty: 1.05 },
    ],
    [
      "null values",
      { do_sample: true, temperature: null, top_k: null, top_p: null },
      { ...greedy, temperature: 1, topK: 50 },
    ],
  ])("%s", (_, config, expected) => {
    expect(read(config)).toEqual(expected);
  });
});

describe("stop tokens", () => {
  test.each([
    ["a number", { "generation_config.json": { eos_token_id: 5 } }, tokenizer, [5]],
    ["a list", { "generation_config.json": { eos_token_id: [5, 6] } }, tokenizer, [5, 6]],
    [
      "from generation_config.json and the tokenizer",
      { "generation_config.json": { eos_token_id: 5 }, "config.json": { eos_token_id: 7 } },
      withEos,
      [5, 2],
    ],
    [
      "from config.json where generation_config.json has none",
      { "generation_config.json": {}, "config.json": { eos_token_id: [7, 8] } },
      tokenizer,
      [7, 8],
    ],
    ["from the tokenizer only", {}, withEos, [2]],
    [
      "from the text model",
      { "config.json": { text_config: { eos_token_id: 9 } } },
      tokenizer,
      [9],
    ],
    [
      "not from the text model if another file has one",
      { "config.json": { eos_token_id: 7, text_config: { eos_token_id: 9 } } },
      tokenizer,
      [7],
    ],
    ["none", {}, tokenizer, []],
  ])("%s", (_, config, from, expected) => {
    expect(generationDefaults(config, from).stopTokenIds).toEqual(expected);
  });

  test.each([
    [
      "the token that the template writes after an answer",
      "\n<|im_end|>\n<|im_start|>user",
      [5, 2],
    ],
    ["no text that it writes there", "\nUSER: Hello<|im_end|>", [5]],
    ["nothing", "", [5]],
  ])("%s", (_, afterAnswer, expected) => {
    const config = { "generation_config.json": { eos_token_id: 5 } };
    expect(generationDefaults(config, tokenizer, afterAnswer).stopTokenIds).toEqual(expected);
  });
});

describe("forbidden tokens", () => {
  const read = (config: object) =>
    generationDefaults({ "generation_config.json": config }, tokenizer).forbidden;

  test("are read where there are any", () => {
    expect(read({ suppress_tokens: [5] })).toEqual({ suppress_tokens: [5] });
    expect(read({ no_repeat_ngram_size: 3, top_k: 5 })).toEqual({ no_repeat_ngram_size: 3 });
    expect(read({ bad_words_ids: [], no_repeat_ngram_size: 0 })).toBeUndefined();
  });

  test.each([
    { sequence_bias: [[[5], -1]] },
    { encoder_repetition_penalty: 2 },
    { encoder_no_repeat_ngram_size: 2 },
    { exponential_decay_length_penalty: [1, 5] },
    { forced_eos_token_id: 7 },
    { num_beams: 3 },
    { stop_strings: ["x"] },
    { min_new_tokens: 4 },
  ])("%j is refused by name", (config) => {
    const [name = ""] = Object.keys(config);
    expect(() => read(config)).toThrow(`generation_config.json: ${name} is `);
    expect(read({ [name]: null })).toBeUndefined();
  });

  test("values that change nothing are taken", () => {
    expect(read({ num_beams: 1, min_length: 0, encoder_repetition_penalty: 1 })).toBeUndefined();
  });
});
