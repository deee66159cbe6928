import { describe, expect, test } from "vitest";
import { random, testGpu } from "../../tests/support.ts";
import type { Gpu } from "../gpu/device.ts";
import { Graph } from "../gpu/graph.ts";
import { NOWHERE, ROW_WORDS } from "./row.ts";
import {
  IDLE_SAMPLING,
  SAMPLE_WORDS,
  type SampleOptions,
  type SequenceSampling,
  sample,
  writeSampling,
} from "./sample.ts";

const PLAIN: SequenceSampling = { ...IDLE_SAMPLING, temperature: 1, row: 0 };

/** Word 0 of pcg4d, as in `shaders/lib/random.wgsl`. */
function pcg4d(...counter: [number, number, number, number]): number {
  let [x, y, z, w] = counter.map((word) => (Math.imul(word, 1664525) + 1013904223) | 0) as [
    number,
    number,
    number,
    number,
  ];
  const mix = () => {
    x = (x + Math.imul(y, w)) | 0;
    y = (y + Math.imul(z, x)) | 0;
    z = (z + Math.imul(x, y)) | 0;
    w = (w + Math.imul(y, z)) | 0;
  };
  mix();
  [x, y, z, w] = [x ^ (x >>> 16), y ^ (y >>> 16), z ^ (z >>> 16), w ^ (w >>> 16)];
  mix();
  return x >>> 0;
}

/** The ids that may be sampled, in doubles by a full sort. */
function keptIds(logits: Float32Array, settings: SequenceSampling): number[] {
  const { temperature, topK, topP, minP } = settings;
  const order = [...logits.keys()].sort((a, b) => at(logits, b) - at(logits, a));
  const greatest = at(logits, order[0] as number);
  const kth = topK > 0 ? at(logits, order[Math.min(topK, order.length) - 1] as number) : -Infinity;
  const top = order.filter((id) => at(logits, id) >= kth);
  const weights = top.map((id) => Math.exp((at(logits, id) - greatest) / temperature));
  const whole = weights.reduce((a, b) => a + b, 0);
  let above = 0; // weight of what is strictly more likely than top[i]
  let sum = 0;
  return top.filter((id, i) => {
    if (i > 0 && at(logits, id) < at(logits, top[i - 1] as number)) above = sum;
    sum += weights[i] as number;
    return (topP >= 1 || above < topP * whole) && (weights[i] as number) >= minP;
  });
}

/** The token that `sample` should return at `step`. */
function expectedToken(logits: Float32Array, settings: SequenceSampling, step: number): number {
  if (settings.temperature === 0) return argmax(logits);
  let best = -1;
  let bestScore = -Infinity;
  for (const id of keptIds(logits, settings).sort((a, b) => a - b)) {
    const u =
      ((pcg4d(id, step, settings.seed, Math.floor(settings.seed / 2 ** 32)) | 1) >>> 0) / 2 ** 32;
    const score = at(logits, id) / settings.temperature - Math.log(-Math.log(u));
    if (score > bestScore) [best, bestScore] = [id, score];
  }
  return best;
}

/** The lowest id with the greatest logit. */
function argmax(logits: Float32Array): number {
  return logits.indexOf(logits.reduce((a, b) => Math.max(a, b)));
}

function at(values: Float32Array, i: number): number {
  return values[i] as number;
}

/** One plan, ready to be replayed. */
async function sampler(
  gpu: Gpu,
  logits: readonly Float32Array[],
  settings: readonly SequenceSampling[],
  options?: SampleOptions,
) {
  const B = logits.length;
  const V = logits[0]?.length as number;
  const words = new Uint32Array(B * SAMPLE_WORDS);
  settings.forEach((each, b) => writeSampling(words, b, each));
  const tensors = {
    logits: gpu.tensor("logits", [B, V]),
    params: gpu.tensor("params", [B, SAMPLE_WORDS], "u32", words),
    rows: gpu.tensor("rows", [B, ROW_WORDS], "u32", new Uint32Array(B * ROW_WORDS).fill(77)),
    tokens: gpu.tensor("tokens", [B], "u32", new Uint32Array(B).fill(77)),
  };
  logits.forEach((row, b) => gpu.write(tensors.logits, row, b * V));
  const g = new Graph(gpu);
  sample(g, tensors.logits, tensors.params, tensors.rows, tensors.tokens, options);
  const plan = await g.compile();
  const read = async (tensor: { buffer?: GPUBuffer }) =>
    new Uint32Array(await gpu.readBytes(tensor as typeof tensors.tokens));
  return {
    plan,
    /** Samples once more. */
    async next(): Promise<number[]> {
      plan.submit();
      return [...(await read(tensors.tokens))];
    },
    /** The words of row `i`. */
    async row(i: number): Promise<number[]> {
      return [...(await read(tensors.rows)).subarray(i * ROW_WORDS, (i + 1) * ROW_WORDS)];
    },
    params: () => read(tensors.params),
    [Symbol.dispose]() {
      for (const { buffer } of Object.values(tensors)) if (buffer) gpu.release(buffer);
    },
  };
}

/** Samples `steps` times with each of the settings, each on its own logits. */
async function expectReferenceDraws(
  V: number,
  settings: readonly SequenceSampling[],
  { steps = 1, scale = 6, digits = 0 } = {},
): Promise<void> {
  const rounding = 10 ** digits;
  const logits = settings.map((_, b) =>
    random(V, b + 1).map((x) =>
      digits > 0 ? Math.round(x * scale * rounding) / rounding : x * scale,
    ),
  );
  using sampling = await sampler(
    await testGpu(),
    logits,
    settings.map((each, b) => ({ ...each, row: b })),
  );
  for (let step = 0; step < steps; step++) {
    expect(await sampling.next()).toEqual(
      logits.map((row, b) => expectedToken(row, settings[b] as SequenceSampling, step)),
    );
  }
}

const SETTINGS: readonly Partial<SequenceSampling>[] = [
  { temperature: 0 },
  {},
  { temperature: 0.7 },
  { temperature: 0.6, topK: 20, topP: 0.95 },
  { temperature: 0.8, topP: 0.9 },
  { temperature: 1.5, topK: 5 },
  { temperature: 1.2, topK: 100 },
  { temperature: 1.2, topK: 100, topP: 0.5, minP: 0.05 },
  { minP: 0.1 },
  { temperature: 2, topP: 0.99, minP: 0.02 },
  { topP: 0.5, seed: -3 },
  { topK: 1_000_000, topP: 0.3, seed: 2 ** 40 + 5 },
];

describe("sample equals a full sort", () => {
  test.each([1, 2, 7, 64, 257, 1000])("V = %i", async (V) => {
    const settings = Array.from({ length: 48 }, (_, b) => ({
      ...PLAIN,
      seed: 1000 + b,
      ...SETTINGS[b % SETTINGS.length],
    }));
    await expectReferenceDraws(V, settings, { steps: 6 });
  });

  test.each([49_280, 151_936])("V = %i", async (V) => {
    const settings = SETTINGS.map((each, b) => ({ ...PLAIN, seed: 7 * b, ...each }));
    await expectReferenceDraws(V, settings, { steps: 2 });
    await expectReferenceDraws(V, settings.slice(3, 6), { scale: 25 });
  });

  test("with many equal logits", async () => {
    const settings = Array.from({ length: 48 }, (_, b) => ({
      ...PLAIN,
      seed: b,
      ...SETTINGS[b % SETTINGS.length],
    }));
    await expectReferenceDraws(300, settings, { steps: 6, scale: 2, digits: 1 });
  });

  test("with any number of slots", async () => {
    for (const B of [1, 3]) {
      await expectReferenceDraws(500, Array<SequenceSampling>(B).fill({ ...PLAIN, topP: 0.8 }));
    }
  });
});

describe("sample takes the most likely token", () => {
  const V = 3000;
  const seeds = [1, 2, 3, 4, 5, 6, 7, 8];
  const logits = seeds.map((seed) => random(V, seed).map((x) => 4 * x));
  const greatest = logits.map(argmax);

  test.each<Partial<SequenceSampling>>([
    { temperature: 0, topK: 50, topP: 0.5, minP: 0.1 },
    { temperature: 1e-4 },
    { topK: 1 },
    { topP: 1e-6 },
    { minP: 1 },
    { temperature: 5, topK: 1, topP: 0.9, minP: 0.2 },
  ])("with %o", async (settings) => {
    const all = seeds.map((seed, b) => ({ ...PLAIN, seed, row: b, ...settings }));
    using sampling = await sampler(await testGpu(), logits, all);
    expect(await sampling.next()).toEqual(greatest);
    expect(await sampling.next()).toEqual(greatest);
  });

  test("when recorded as greedy, in two dispatches, whatever the settings", async () => {
    const all = seeds.map((seed, b) => ({ ...PLAIN, temperature: 3, topP: 0.9, seed, row: b }));
    using sampling = await sampler(await testGpu(), logits, all, { greedy: true });
    expect(sampling.plan.steps.map(({ name }) => name)).toEqual(["sample-reduce", "sample-greedy"]);
    expect(await sampling.next()).toEqual(greatest);
  });

  test.each([true, false])(
    "and the lowest id of equal ones (recorded as greedy: %s)",
    async (greedy) => {
      const cases: readonly (readonly [logits: number[], id: number])[] = [
        [[1, 3, 3, 2, 3], 1],
        [[-0, 0, -0, 0, -1], 0],
        [[-5, -2, -7, -2, -2], 1],
        [[NaN, 1, 2, NaN, -1], 2],
        [[-Infinity, -1e38, -Infinity, -3e4, -4e4], 3],
        [[0, Infinity, 5, Infinity, 6], 1],
        [[-Infinity, -Infinity, -Infinity, -Infinity, -Infinity], 0],
        [[1e-20, 2e-20, 3e-20, 3e-20, -1], 2],
      ];
      for (const [few, id] of cases) {
        // Far apart, so that equal logits are in different shares of the vocabulary.
        const row = new Float32Array(1000).fill(-Infinity);
        few.forEach((logit, i) => (row[i * 200] = logit));
        using sampling = await sampler(await testGpu(), [row], [{ ...PLAIN, temperature: 0 }], {
          greedy,
        });
        expect(await sampling.next(), `${few}`).toEqual([id * 200]);
      }
    },
  );
});

describe("sample leaves out", () => {
  /** @returns the sorted ids that 32 seeds sample in 4 steps each */
  async function sampledIds(few: number[], settings: Partial<SequenceSampling>): Promise<number[]> {
    const seeds = Array.from({ length: 32 }, (_, b) => ({
      ...PLAIN,
      ...settings,
      seed: b,
      row: b,
    }));
    const logits = seeds.map(() => Float32Array.from(few));
    using sampling = await sampler(await testGpu(), logits, seeds);
    const sampled = new Set<number>();
    for (let step = 0; step < 4; step++) for (const id of await sampling.next()) sampled.add(id);
    return [...sampled].sort((a, b) => a - b);
  }
  const ln = Math.log;
  const hot = { temperature: 1 };

  test.each<[string, number[], Partial<SequenceSampling>, number[]]>([
    [
      "what is below the k-th, but nothing that ties with it",
      [1, 2, 3, 2, 0],
      { topK: 2 },
      [1, 2, 3],
    ],
    ["what the nucleus does not need", [ln(4), ln(3), ln(2), ln(1)], { topP: 0.75 }, [0, 1, 2]],
    [
      "nothing that ties with the nucleus' last",
      [ln(3), ln(2), ln(2), ln(1)],
      { topP: 0.5 },
      [0, 1, 2],
    ],
    [
      "what is beyond the nucleus of the k most likely",
      [ln(4), ln(3), ln(3), ln(2)],
      { topK: 3, topP: 0.35 },
      [0],
    ],
    [
      "what min-p forbids, at the temperature's odds",
      [2, 1.1, 0.9, 0],
      { temperature: 2, minP: 0.6 },
      [0, 1],
    ],
    ["-inf and NaN", [1, -Infinity, 1, NaN, 1], hot, [0, 2, 4]],
    [
      "-inf within top-k",
      [1, -Infinity, 1, -Infinity, -Infinity],
      { topK: 4, topP: 0.999 },
      [0, 2],
    ],
    ["nothing without a filter", [1, 1.5, 2, 1, 1.2], hot, [0, 1, 2, 3, 4]],
  ])("%s", async (_, few, settings, ids) => {
    expect(await sampledIds(few, settings)).toEqual(ids);
  });
});

describe("sample advances", () => {
  const V = 400;

  test.each([true, false])("rows and settings, replay by replay (greedy: %s)", async (greedy) => {
    const logits = [random(V, 1), random(V, 2)];
    const crossRange = { crossFirst: 5, crossLast: 68 };
    const settings: SequenceSampling[] = [
      { ...PLAIN, topP: 0.9, seed: 9, row: 1, position: 6, sequence: 3, ropeOffset: -5, window: 8 },
      { ...PLAIN, temperature: 0.5, seed: 4, step: 10, row: 0, position: 40, ...crossRange },
    ];
    using sampling = await sampler(await testGpu(), logits, settings, { greedy });
    for (let i = 0; i < 4; i++) {
      const [a, b] = await sampling.next();
      const rope = 6 + i - 5;
      const first = Math.max(0, 6 + i - 7);
      expect(await sampling.row(1)).toEqual([
        rope,
        rope,
        rope,
        a,
        3,
        6 + i,
        0,
        6 + i,
        first,
        1,
        0,
        0,
      ]);
      const at = 40 + i;
      expect(await sampling.row(0)).toEqual([at, at, at, b, 0, at, 0, at, 0, 5, 68, 1]);
    }
    const expected = new Uint32Array(2 * SAMPLE_WORDS);
    settings.forEach((each, b) =>
      writeSampling(expected, b, {
        ...each,
        step: (each.step ?? 0) + 4,
        position: each.position + 4,
      }),
    );
    expect(await sampling.params()).toEqual(expected);
  });

  test.each([true, false])("no idle slot (greedy: %s)", async (greedy) => {
    const settings = [IDLE_SAMPLING, { ...PLAIN, row: 2 }, { ...PLAIN, topK: 9, row: NOWHERE }];
    const logits = settings.map((_, b) => random(V, b));
    using sampling = await sampler(await testGpu(), logits, settings, { greedy });
    const before = await sampling.params();
    const [idle, sampled, other] = await sampling.next();
    expect([idle, other]).toEqual([77, 77]);
    expect(sampled).toBeLessThan(V);
    expect(await sampling.row(0)).toEqual(Array(ROW_WORDS).fill(77));
    expect(await sampling.row(1)).toEqual(Array(ROW_WORDS).fill(77));
    expect((await sampling.row(2))[3]).toBe(sampled);
    const after = await sampling.params();
    const words = [0, 2].flatMap((b) => [b * SAMPLE_WORDS, (b + 1) * SAMPLE_WORDS]);
    for (const [from, to] of [words.slice(0, 2), words.slice(2)]) {
      expect(after.slice(from, to)).toEqual(before.slice(from, to));
    }
  });

  test("to the same tokens for the same seed, to others for another seed or step", async () => {
    const logits = random(V, 5);
    const variants: Partial<SequenceSampling>[] = [
      {},
      {},
      { seed: 1 },
      { seed: 2 ** 32 },
      { step: 1 },
    ];
    const settings = variants.map((each, b) => ({ ...PLAIN, topP: 0.95, row: b, ...each }));
    using sampling = await sampler(
      await testGpu(),
      settings.map(() => logits),
      settings,
    );
    const runs: number[][] = settings.map(() => []);
    for (let i = 0; i < 12; i++) (await sampling.next()).forEach((id, b) => runs[b]?.push(id));
    const [one, same, seed, highSeed, later] = runs as [number[], ...number[][]];
    expect(same).toEqual(one);
    expect(seed).not.toEqual(one);
    expect(highSeed).not.toEqual(one);
    expect(later?.slice(0, 11)).toEqual(one.slice(1));
    expect(new Set(one).size).toBeGreaterThan(6);
  });
});

test("sample rejects shapes that don't fit", async () => {
  const gpu = await testGpu();
  const g = new Graph(gpu);
  const tensor = (...shape: number[]) => g.scratch(shape, "x", "u32");
  const good = [tensor(2, 10), tensor(2, SAMPLE_WORDS), tensor(1, ROW_WORDS), tensor(2)] as const;
  const [logits, params, rows, tokens] = good;
  expect(() => sample(g, logits, tensor(2, 4), rows, tokens)).toThrow("sample: params is [2,4]");
  expect(() => sample(g, logits, params, tensor(1, 4), tokens)).toThrow("rows is [1,4]");
  expect(() => sample(g, logits, params, rows, tensor(1))).toThrow("sample: tokens is [1]");
});
