import { describe, expect, test } from "vitest";
import { random, testGpu } from "../../tests/support.ts";
import { Graph } from "../gpu/graph.ts";
import { ROW_WORDS } from "./row.ts";
import {
  IDLE_SAMPLING,
  SAMPLE_WORDS,
  type SequenceSampling,
  sample,
  writeSampling,
} from "./sample.ts";

/**
 * Draws from the same logits with the seeds 0 .. B-1, `steps` times each.
 *
 * @returns how often each id was drawn
 */
async function count(
  logits: Float32Array,
  settings: Partial<SequenceSampling>,
  { B, steps }: { B: number; steps: number },
): Promise<number[]> {
  const gpu = await testGpu();
  const V = logits.length;
  const all = new Float32Array(B * V);
  const words = new Uint32Array(B * SAMPLE_WORDS);
  for (let b = 0; b < B; b++) {
    all.set(logits, b * V);
    writeSampling(words, b, { ...IDLE_SAMPLING, temperature: 1, ...settings, seed: b, row: b });
  }
  const tokens = gpu.tensor("tokens", [B], "u32");
  const params = gpu.tensor("params", [B, SAMPLE_WORDS], "u32", words);
  const rows = gpu.tensor("rows", [B, ROW_WORDS], "u32");
  const g = new Graph(gpu);
  sample(g, gpu.tensor("logits", [B, V], "f32", all), params, rows, tokens);
  const plan = await g.compile();
  const counts = new Array<number>(V).fill(0);
  for (let step = 0; step < steps; step++) {
    plan.submit();
    for (const id of new Uint32Array(await gpu.readBytes(tokens)))
      counts[id] = (counts[id] ?? 0) + 1;
  }
  return counts;
}

/**
 * Pearson's chi-squared in units of its own spread, which is about normal. Throws when something
 * of probability 0 was drawn.
 *
 * @param probabilities relative; what is expected less than 5 times is counted together
 */
function deviation(counts: readonly number[], probabilities: readonly number[]): number {
  const whole = probabilities.reduce((a, b) => a + b, 0);
  const draws = counts.reduce((a, b) => a + b, 0);
  const rest = { seen: 0, expected: 0 };
  const cells = [rest];
  counts.forEach((seen, id) => {
    const expected = (draws * (probabilities[id] as number)) / whole;
    if (expected === 0 && seen > 0) throw new Error(`deviation: ${id} was drawn, but is left out`);
    if (expected >= 5) cells.push({ seen, expected });
    else [rest.seen, rest.expected] = [rest.seen + seen, rest.expected + expected];
  });
  const used = cells.filter(({ expected }) => expected > 0);
  const sum = used.reduce((s, { seen, expected }) => s + (seen - expected) ** 2 / expected, 0);
  const freedom = used.length - 1;
  return (sum - freedom) / Math.sqrt(2 * freedom);
}

/** Spreads; the seeds are fixed, so that what is within stays within. */
const ALLOWED = 4;

describe("sample draws in proportion to the softmax", () => {
  const logits = random(48, 3).map((x) => 3 * x);
  const weights = (temperature: number) =>
    [...logits].map((logit) => Math.exp(logit / temperature));
  const sorted = [...logits].sort((a, b) => b - a);

  test("of all logits, at a temperature", async () => {
    for (const temperature of [0.5, 2]) {
      const counts = await count(logits, { temperature }, { B: 256, steps: 6 });
      expect(deviation(counts, weights(temperature))).toBeLessThan(ALLOWED);
    }
  });

  test("of the k most likely", async () => {
    const counts = await count(logits, { topK: 9 }, { B: 256, steps: 6 });
    const kth = sorted[8] as number;
    const expected = weights(1).map((w, id) => ((logits[id] as number) >= kth ? w : 0));
    expect(deviation(counts, expected)).toBeLessThan(ALLOWED);
    expect(counts.filter((n) => n > 0)).toHaveLength(9);
  });

  test("of the nucleus", async () => {
    const counts = await count(logits, { topP: 0.7 }, { B: 256, steps: 6 });
    const whole = weights(1).reduce((a, b) => a + b, 0);
    let sum = 0;
    const nucleus = sorted.filter((logit) => {
      const within = sum < 0.7 * whole;
      sum += Math.exp(logit);
      return within;
    });
    const expected = weights(1).map((w, id) => (nucleus.includes(logits[id] as number) ? w : 0));
    expect(deviation(counts, expected)).toBeLessThan(ALLOWED);
    expect(counts.filter((n) => n > 0)).toHaveLength(nucleus.length);
  });

  test("of what min-p allows", async () => {
    const counts = await count(logits, { minP: 0.2, temperature: 1.5 }, { B: 256, steps: 6 });
    const expected = weights(1.5);
    const least = 0.2 * Math.max(...expected);
    expect(
      deviation(
        counts,
        expected.map((w) => (w >= least ? w : 0)),
      ),
    ).toBeLessThan(ALLOWED);
  });

  test("down to the many unlikely tokens of a large vocabulary", async () => {
    // Half of the probability on one token, half spread evenly over 30,000.
    const V = 30_001;
    const flat = new Float32Array(V);
    flat[12_345] = Math.log(V - 1);
    const counts = await count(flat, {}, { B: 64, steps: 24 });
    const draws = counts.reduce((a, b) => a + b, 0);
    expect(draws).toBe(64 * 24);

    const likely = counts[12_345] as number;
    expect(deviation([likely, draws - likely], [1, 1])).toBeLessThan(ALLOWED);
    counts[12_345] = 0;
    // By place, by residue (of which a weak hash of consecutive ids would show some), by chance.
    for (const cell of [
      (id: number) => Math.floor((id * 64) / V),
      (id: number) => id % 64,
      (id: number) => (id * 7919) % 61,
    ]) {
      const sums = new Array<number>(64).fill(0);
      const sizes = new Array<number>(64).fill(0);
      counts.forEach((n, id) => {
        sums[cell(id)] = (sums[cell(id)] as number) + n;
        if (id !== 12_345) sizes[cell(id)] = (sizes[cell(id)] as number) + 1;
      });
      expect(deviation(sums, sizes)).toBeLessThan(ALLOWED);
    }
  });
});
