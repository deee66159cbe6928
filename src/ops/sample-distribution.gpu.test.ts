import { describe, expect, test } from "vitest";
import { chiSquaredTest } from "../../tests/chi-squared.ts";
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
 * Samples from the same logits with the seeds 0 .. B-1, `steps` times each.
 *
 * @returns how often each id was sampled
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

type Filters = Pick<SequenceSampling, "temperature" | "topK" | "topP" | "minP">;

/** The weight of each id in the distribution, by a full sort. */
function weights(logits: Float32Array, { temperature, topK, topP, minP }: Filters): number[] {
  const most = Math.max(...logits);
  const all = Array.from(logits, (logit) => Math.exp((logit - most) / temperature));
  const weightOf = (id: number) => all[id] as number;
  const sorted = [...all.keys()].sort((a, b) => weightOf(b) - weightOf(a));
  const likeliest = topK > 0 ? sorted.slice(0, topK) : sorted;
  const whole = likeliest.reduce((sum, id) => sum + weightOf(id), 0);
  const kept = new Set<number>();
  let before = 0;
  for (const id of likeliest) {
    if (before < topP * whole && weightOf(id) >= minP) kept.add(id);
    before += weightOf(id);
  }
  return all.map((weight, id) => (kept.has(id) ? weight : 0));
}

/** A lower p-value means another distribution. The seeds are fixed, so a test that passes once always passes. */
const LEAST_PROBABILITY = 1e-3;

const NO_FILTERS: Filters = { temperature: 1, topK: 0, topP: 1, minP: 0 };

/** Half of all combinations: any three settings meet in every way, and the fourth follows. */
const COMBINATIONS = [0.7, 1.8].flatMap((temperature) =>
  [0, 12].flatMap((topK) =>
    [1, 0.85].map((topP) => {
      const filters = [temperature > 1, topK > 0, topP < 1].filter(Boolean).length;
      return { temperature, topK, topP, minP: filters % 2 === 1 ? 0.2 : 0 };
    }),
  ),
);

describe("sample follows the softmax of what the filters keep", () => {
  const logits = random(48, 3).map((x) => 3 * x);
  /** The number of combinations that each setting decided. */
  const decided: Record<keyof Filters, number> = { temperature: 0, topK: 0, topP: 0, minP: 0 };

  test.each(COMBINATIONS)(
    "temperature $temperature, top-k $topK, top-p $topP, min-p $minP",
    async (filters) => {
      const counts = await count(logits, filters, { B: 128, steps: 8 });
      const expected = weights(logits, filters);
      expect(chiSquaredTest(counts, expected)).toBeGreaterThan(LEAST_PROBABILITY);
      for (const setting of Object.keys(decided) as (keyof Filters)[]) {
        const without = weights(logits, { ...filters, [setting]: NO_FILTERS[setting] });
        if (`${without}` === `${expected}`) continue;
        expect(chiSquaredTest(counts, without), `without ${setting}`).toBeLessThan(
          LEAST_PROBABILITY,
        );
        decided[setting]++;
      }
    },
  );

  test("and each filter decides some of these cases", () => {
    for (const times of Object.values(decided)) expect(times).toBeGreaterThan(2);
  });

  test("for the many unlikely tokens of a large vocabulary, too", async () => {
    // Half of the probability on one token, half spread evenly over 30,000.
    const V = 30_001;
    const flat = new Float32Array(V);
    flat[12_345] = Math.log(V - 1);
    const counts = await count(flat, {}, { B: 32, steps: 32 });
    const samples = counts.reduce((a, b) => a + b, 0);
    expect(samples).toBe(32 * 32);

    const likely = counts[12_345] as number;
    expect(chiSquaredTest([likely, samples - likely], [1, 1])).toBeGreaterThan(LEAST_PROBABILITY);
    counts[12_345] = 0;
    // Groups by position, by residue (a weak hash of consecutive ids would show there), at random.
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
      expect(chiSquaredTest(sums, sizes)).toBeGreaterThan(LEAST_PROBABILITY);
    }
  });
});
