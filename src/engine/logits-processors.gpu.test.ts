import { beforeAll, describe, expect, test } from "vitest";
import {
  type Golden,
  type GoldenCase,
  openEngine,
  openGolden,
  prepareImages,
} from "../../tests/golden.ts";
import { testGpu } from "../../tests/support.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Model } from "../models/model.ts";
import type { Engine } from "./engine.ts";
import type { GeneratedToken, GenerationInput, Sampling } from "./generation.ts";

const GREEDY: Sampling = { temperature: 0, topK: 0, topP: 1, minP: 0, seed: 0 };

let gpu: Gpu;
let golden: Golden;
let engine: Engine;
let model: Model;

beforeAll(async () => {
  gpu = await testGpu();
  golden = await openGolden("smolvlm");
  ({ engine, model } = await openEngine(gpu, golden.checkpoint, "f32", { contextLength: 256 }));
});

const caseOf = (name: string): GoldenCase =>
  golden.cases.find((case_) => case_.name === name) ?? expect.fail(name);

async function run(
  case_: GoldenCase,
  options: Partial<GenerationInput> = {},
): Promise<GeneratedToken[]> {
  const images = await prepareImages(case_, model, "/e2e/goldens");
  const tokens: GeneratedToken[] = [];
  const input = { ids: case_.input_ids, images, maxTokens: 16, stopTokenIds: [], sampling: GREEDY };
  for await (const token of engine.generate({ ...input, ...options })) tokens.push(token);
  return tokens;
}

const idsOf = (tokens: readonly GeneratedToken[]): number[] => tokens.map(({ token }) => token);

const answer = async (case_: GoldenCase, options: Partial<GenerationInput> = {}) =>
  idsOf(await run(case_, options));

/** The model's own logits after the prompt and `generated`, by a prefill of both. */
async function logitsAfter(case_: GoldenCase, generated: readonly number[]): Promise<Float32Array> {
  await run(case_, { ids: [...case_.input_ids, ...generated], maxTokens: 1 });
  return gpu.read(engine.decoder.lastLogits ?? expect.fail("no logits"));
}

/** Greedy decoding by plain code, with `adjust` applied to the model's logits. */
async function reference(
  case_: GoldenCase,
  count: number,
  adjust: (logit: number, id: number, generated: readonly number[]) => number,
): Promise<number[]> {
  const generated: number[] = [];
  while (generated.length < count) {
    const logits = await logitsAfter(case_, generated);
    const adjusted = Array.from(logits, (logit, id) => adjust(logit, id, generated));
    generated.push(adjusted.indexOf(Math.max(...adjusted)));
  }
  return generated;
}

const timesIn = (ids: readonly number[], id: number) => ids.filter((each) => each === id).length;

describe("greedy decoding equals plain code", () => {
  test.each<[string, string, Partial<Sampling>, Parameters<typeof reference>[2]]>([
    [
      "repetition_penalty, of prompt and answer",
      "text",
      { repetitionPenalty: 1.6 },
      (logit, id, generated) => {
        if (![...caseOf("text").input_ids, ...generated].includes(id)) return logit;
        return logit > 0 ? logit / 1.6 : logit * 1.6;
      },
    ],
    [
      "frequency_penalty, of each time",
      "image_last",
      { frequencyPenalty: -1.9 },
      (logit, id, generated) => logit + 1.9 * timesIn(generated, id),
    ],
    [
      "presence_penalty, once",
      "two_images",
      { presencePenalty: -2 },
      (logit, id, generated) => logit + (generated.includes(id) ? 2 : 0),
    ],
  ])("%s", async (_, name, sampling, adjust) => {
    const case_ = caseOf(name);
    const plain = await answer(case_);
    const ids = await answer(case_, { sampling: { ...GREEDY, ...sampling } });
    expect(ids).not.toEqual(plain);
    expect(ids).toEqual(await reference(case_, 16, adjust));
    // The next request is not affected.
    expect(await answer(case_)).toEqual(plain);
  });
});

describe("logit_bias", () => {
  const biased = (entries: [number, number][], more: Partial<Sampling> = {}) =>
    answer(caseOf("text"), {
      sampling: { ...GREEDY, ...more, logitBias: new Map(entries) },
    });

  test("of 100 always selects the token, greedy or sampled", async () => {
    expect(await biased([[77, 100]])).toEqual(new Array<number>(16).fill(77));
    expect(await biased([[77, 100]], { temperature: 1 })).toEqual(new Array<number>(16).fill(77));
  });

  test("of -100 never selects the token", async () => {
    const plain = await answer(caseOf("text"));
    const ids = await biased(plain.map((id) => [id, -100]));
    for (const id of plain) expect(ids).not.toContain(id);
  });

  test("of one request does not affect the next", async () => {
    const plain = await answer(caseOf("text"));
    await biased([[77, 100]]);
    const slight = { ...GREEDY, presencePenalty: 1e-6 };
    expect(await answer(caseOf("text"), { sampling: slight })).toEqual(plain);
  });
});

describe("min_tokens", () => {
  test("delays stop tokens, and no longer than asked", async () => {
    const case_ = caseOf("text");
    const stop = case_.output_ids[1] as number;
    const bias = { ...GREEDY, logitBias: new Map([[stop, 100]]) };
    const options = { stopTokenIds: [stop], sampling: bias };
    expect(await answer(case_, options)).toEqual([stop]);
    for (const minTokens of [1, 2, 5]) {
      const ids = await answer(case_, { ...options, minTokens });
      expect(ids.length).toBe(minTokens + 1);
      expect(ids.indexOf(stop)).toBe(minTokens);
    }
  });

  test("does not delay tokens that don't stop", async () => {
    const case_ = caseOf("text");
    expect(await answer(case_, { minTokens: 10 })).toEqual(await answer(case_));
  });
});

describe("logprobs", () => {
  const logSoftmax = (logits: Float32Array): number[] => {
    const greatest = logits.reduce((a, b) => Math.max(a, b));
    const total = logits.reduce((sum, logit) => sum + Math.exp(logit - greatest), 0);
    return Array.from(logits, (logit) => logit - greatest - Math.log(total));
  };

  test("are those of the model's own logits, whatever the logits processors", async () => {
    const case_ = caseOf("image_last");
    const sampling = {
      ...GREEDY,
      temperature: 1.3,
      repetitionPenalty: 1.5,
      logitBias: new Map([[3, 4]]),
      seed: 5,
    };
    const tokens = await run(case_, { maxTokens: 6, logprobs: 5, sampling });
    expect(idsOf(tokens)).toEqual(await answer(case_, { maxTokens: 6, sampling }));
    for (const [i, { token, logprobs = expect.fail("no logprobs") }] of tokens.entries()) {
      const expected = logSoftmax(await logitsAfter(case_, idsOf(tokens.slice(0, i))));
      // The reference is a prefill, whose rounding differs from a decode step's.
      expect(logprobs.logprob).toBeCloseTo(expected[token] as number, 3);
      const order = [...expected.keys()].sort(
        (a, b) => (expected[b] as number) - (expected[a] as number),
      );
      expect(logprobs.top.map(({ id }) => id)).toEqual(order.slice(0, 5));
      for (const { id, logprob } of logprobs.top) {
        expect(logprob).toBeCloseTo(expected[id] as number, 3);
      }
    }
  });

  test("list as many of the most likely tokens as requested", async () => {
    for (const logprobs of [0, 1, 20]) {
      const tokens = await run(caseOf("text"), { maxTokens: 3, logprobs });
      expect(tokens.map((token) => token.logprobs?.top.length)).toEqual([
        logprobs,
        logprobs,
        logprobs,
      ]);
    }
    const [plain] = await run(caseOf("text"), { maxTokens: 1 });
    expect(plain).toEqual({ token: caseOf("text").output_ids[0] });
  });
});

test("an unused option costs no dispatch", async () => {
  const steps = async (options: Parameters<typeof engine.decoder.sampler>[1]) =>
    (await engine.decoder.sampler(1, options)).plan.steps.map(({ name }) => name);
  const plain = await steps({ greedy: true });
  expect(plain.slice(-2)).toEqual(["sample-reduce", "sample-greedy"]);
  expect(plain.join()).not.toMatch(/adjust|logprobs/);
  expect(await steps({ greedy: true, processors: true })).toHaveLength(plain.length + 1);
  expect(await steps({ greedy: true, logprobs: true })).toHaveLength(plain.length + 2);
});
