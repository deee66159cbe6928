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
      "from all sources",
      { "generation_config.json": { eos_token_id: [5, 2] }, "config.json": { eos_token_id: 7 } },
      withEos,
      [5, 2, 7],
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
