import { beforeAll, describe, expect, test } from "vitest";
import { type Golden, openEngine, openGolden } from "../../tests/golden.ts";
import { testGpu } from "../../tests/support.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Engine } from "./engine.ts";
import type { GeneratedToken, GenerationInput, Sampling, TokenConstraint } from "./generation.ts";

const GREEDY: Sampling = { temperature: 0, topK: 0, topP: 1, minP: 0, seed: 0 };

let gpu: Gpu;
let golden: Golden;
let engine: Engine;
let V: number;
let prompt: readonly number[];
let plain: readonly number[];

beforeAll(async () => {
  gpu = await testGpu();
  golden = await openGolden("smolvlm");
  const opened = await openEngine(gpu, golden.checkpoint, "f32", { contextLength: 256 });
  engine = opened.engine;
  V = opened.model.text.vocab_size;
  prompt = golden.cases.find(({ name }) => name === "text")?.input_ids ?? expect.fail();
  plain = await answer({});
});

async function run(options: Partial<GenerationInput>): Promise<GeneratedToken[]> {
  const tokens: GeneratedToken[] = [];
  const input = { ids: prompt, images: [], maxTokens: 16, stopTokenIds: [], sampling: GREEDY };
  for await (const token of engine.generate({ ...input, ...options })) tokens.push(token);
  return tokens;
}

const answer = async (options: Partial<GenerationInput>): Promise<number[]> =>
  (await run(options)).map(({ token }) => token);

/** A constraint that allows the ids `allowed(step)`; undefined allows all. */
function constraintOf(
  allowed: (step: number) => Iterable<number> | undefined,
): TokenConstraint & { readonly accepted: readonly number[] } {
  const accepted: number[] = [];
  return {
    accepted,
    mask(words) {
      const ids = allowed(accepted.length);
      if (!ids) return false;
      for (const id of ids) words[id >>> 5] = (words[id >>> 5] as number) | (1 << (id & 31));
      return true;
    },
    accept: (token) => void accepted.push(token),
  };
}

/** Every ninth id, starting at another id in each step. */
const ninths = (step: number): number[] =>
  Array.from({ length: V }, (_, id) => id).filter((id) => (id + step) % 9 === 0);

/** The model's own logits after the prompt and `generated`. */
async function logitsAfter(generated: readonly number[]): Promise<Float32Array> {
  await run({ ids: [...prompt, ...generated], maxTokens: 1 });
  return gpu.read(engine.decoder.lastLogits ?? expect.fail("no logits"));
}

const likeliest = (logits: Float32Array, ids: readonly number[]): number =>
  ids.reduce((best, id) => ((logits[id] as number) > (logits[best] as number) ? id : best));

describe("a constraint", () => {
  test("is obeyed at every step, by the most likely token that it allows", async () => {
    const constraint = constraintOf(ninths);
    const ids = await answer({ constraint, maxTokens: 40 });
    expect(ids).toHaveLength(40);
    expect(constraint.accepted).toEqual(ids);
    for (const [step, id] of ids.entries()) expect((id + step) % 9).toBe(0);
    for (const step of [0, 1, 2, 17]) {
      expect(likeliest(await logitsAfter(ids.slice(0, step)), ninths(step))).toBe(ids[step]);
    }
    expect(await answer({})).toEqual(plain);
  });

  test("may be asynchronous, and may allow every token at some steps", async () => {
    const free = constraintOf(() => undefined);
    expect(await answer({ constraint: free })).toEqual(plain);
    expect(free.accepted).toEqual(plain);
    const strict = constraintOf((step) => (step % 2 === 1 ? [step] : undefined));
    const ids = await answer({
      constraint: {
        accept: (token) => strict.accept(token),
        mask: async (words) => {
          await new Promise((resolve) => setTimeout(resolve, 2));
          return strict.mask(words);
        },
      },
    });
    for (const [step, id] of ids.entries()) if (step % 2 === 1) expect(id).toBe(step);
    expect(ids[0]).toBe(plain[0]);
    const logits = await logitsAfter(ids.slice(0, 2));
    expect(logits.indexOf(Math.max(...logits))).toBe(ids[2]);
  });

  test("may allow only the last token of the vocabulary", async () => {
    expect(await answer({ constraint: constraintOf(() => [V - 1]), maxTokens: 3 })).toEqual(
      new Array<number>(3).fill(V - 1),
    );
  });

  test("computes its mask while the forward pass runs", async () => {
    const before = engine.stats.steps;
    const submitted: number[] = [];
    const inner = constraintOf(ninths);
    const constraint: TokenConstraint = {
      accept: (token) => inner.accept(token),
      mask(words) {
        submitted.push(engine.stats.steps - before);
        return inner.mask(words);
      },
    };
    await answer({ constraint, maxTokens: 5 });
    expect(submitted).toEqual([1, 2, 3, 4, 5]);
    expect(engine.stats.steps - before).toBe(5);
  });

  test("that allows no token, or only bits beyond the vocabulary, fails its request alone", async () => {
    const constraint = constraintOf((step) => (step < 2 ? ninths(step) : []));
    await expect(answer({ constraint })).rejects.toThrow("allows no token");
    expect(V % 32).not.toBe(0);
    await expect(answer({ constraint: constraintOf(() => [V]) })).rejects.toThrow(
      "allows no token",
    );
    expect(await answer({})).toEqual(plain);
  });

  test("that throws, or whose reader stops, does not affect the next request", async () => {
    const failing: TokenConstraint = {
      mask: () => Promise.reject(new Error("no grammar")),
      accept: () => expect.fail("no token was sampled"),
    };
    await expect(answer({ constraint: failing })).rejects.toThrow("no grammar");
    const constraint = constraintOf(ninths);
    const input = { ids: prompt, images: [], maxTokens: 16, stopTokenIds: [], sampling: GREEDY };
    for await (const { token } of engine.generate({ ...input, constraint })) {
      expect(constraint.accepted).toEqual([token]);
      break;
    }
    expect(engine.stats.requests).toBe(0);
    expect(await answer({})).toEqual(plain);
  });
});

describe("a token sampled under a constraint", () => {
  test("is the one sampled from the logits of the allowed tokens alone", async () => {
    const sampling = { ...GREEDY, temperature: 1.7, frequencyPenalty: 0.4, repetitionPenalty: 1.2 };
    const allowed = ninths(4);
    const others = Array.from({ length: V }, (_, id) => id).filter((id) => !allowed.includes(id));
    const logitBias = new Map(others.map((id) => [id, -1e4]));
    const filters: Partial<Sampling>[] = [{}, { topK: 3 }, { topP: 0.6 }, { minP: 0.2 }];
    for (const [seed, filter] of filters.entries()) {
      const settings = { ...sampling, ...filter, seed };
      const constraint = constraintOf(() => allowed);
      const ids = await answer({ constraint, sampling: settings });
      expect(ids).toEqual(await answer({ sampling: { ...settings, logitBias } }));
      expect(new Set(ids).size).toBeGreaterThan(1);
    }
  });

  test("follows the softmax over the allowed tokens", async () => {
    const logits = await logitsAfter([]);
    const order = [...logits.keys()].sort((a, b) => (logits[b] as number) - (logits[a] as number));
    const allowed = order.slice(5, 8);
    const weights = allowed.map((id) => Math.exp(logits[id] as number));
    const total = weights.reduce((a, b) => a + b);
    const samples = 100;
    const counts = new Map<number, number>();
    for (let seed = 0; seed < samples; seed++) {
      const constraint = constraintOf(() => allowed);
      const sampling = { ...GREEDY, temperature: 1, seed };
      const [id = -1] = await answer({ constraint, sampling, maxTokens: 1 });
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual([...allowed].sort());
    for (const [i, id] of allowed.entries()) {
      const p = (weights[i] as number) / total;
      const deviation = Math.sqrt(samples * p * (1 - p));
      expect(Math.abs((counts.get(id) ?? 0) - samples * p)).toBeLessThan(4 * deviation);
    }
  });

  test("has logprobs of the model's own logits", async () => {
    const [token] = await run({ constraint: constraintOf(ninths), maxTokens: 1, logprobs: 2 });
    const [unconstrained] = await run({ maxTokens: 1, logprobs: 2 });
    expect(token?.logprobs?.top).toEqual(unconstrained?.logprobs?.top);
    const logits = await logitsAfter([]);
    const greatest = Math.max(...logits);
    const total = logits.reduce((sum, logit) => sum + Math.exp(logit - greatest), 0);
    const expected = (logits[token?.token ?? -1] as number) - greatest - Math.log(total);
    expect(token?.logprobs?.logprob).toBeCloseTo(expected, 3);
  });

  test("is a stop token before minTokens only if nothing else is allowed", async () => {
    const [stop, other] = [plain[0] as number, 11];
    const options = { stopTokenIds: [stop], minTokens: 3 };
    for (const sampling of [GREEDY, { ...GREEDY, temperature: 1, topK: 2 }]) {
      const both = constraintOf(() => [stop, other]);
      const ids = await answer({ ...options, constraint: both, sampling });
      expect(ids.slice(0, 3)).toEqual([other, other, other]);
      const only = constraintOf((step) => (step === 0 ? [other] : [stop]));
      expect(await answer({ ...options, constraint: only, sampling })).toEqual([other, stop]);
    }
  });
});

test("a request without a constraint has no dispatch for it", async () => {
  const steps = async (options: Parameters<typeof engine.decoder.sampler>[1]) =>
    (await engine.decoder.sampler(1, options)).plan.steps.map(({ name }) => name);
  const free = await steps({ greedy: true });
  expect(free).not.toContain("mask-logits");
  const masked = await steps({ greedy: true, masked: true });
  expect(masked.filter((name) => name !== "mask-logits")).toEqual(free);
  expect(masked).toHaveLength(free.length + 1);
});
