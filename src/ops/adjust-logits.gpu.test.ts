import { expect, test } from "vitest";
import { expectClose, random, testGpu } from "../../tests/support.ts";
import { Graph } from "../gpu/graph.ts";
import {
  PENALTY_WORDS,
  type Penalties,
  adjustLogits,
  writeHistory,
  writePenalties,
} from "./adjust-logits.ts";
import { NOWHERE } from "./row.ts";
import { IDLE_SAMPLING, SAMPLE_WORDS, writeSampling } from "./sample.ts";

const NONE: Penalties = { frequency: 0, presence: 0, repetition: 1, minTokens: 0 };
const V = 1000;

interface Slot {
  readonly penalties: Penalties;
  readonly prompt: readonly number[];
  readonly stops: readonly number[];
  readonly bias: Float32Array;
  /** The token sampled at each step. */
  readonly sampled: readonly number[];
}

/** The formula of `adjust-logits.wgsl`, in doubles. */
function adjusted(slot: Slot, logits: Float32Array, step: number): Float32Array {
  const { penalties, prompt, stops, bias, sampled } = slot;
  const generated = sampled.slice(0, step);
  return logits.map((logit, id) => {
    const times = generated.filter((token) => token === id).length;
    let y = logit;
    if (times > 0 || prompt.includes(id)) {
      y = y > 0 ? y / penalties.repetition : y * penalties.repetition;
    }
    y -= penalties.frequency * times + (times > 0 ? penalties.presence : 0);
    return stops.includes(id) && step < penalties.minTokens ? -1e29 : y + (bias[id] as number);
  });
}

/** Runs one step per sampled token. Returns the adjusted logits of each step. */
async function run(slots: readonly Slot[], logits: readonly Float32Array[], idle?: number) {
  const gpu = await testGpu();
  const B = slots.length;
  const tensors = {
    logits: gpu.tensor("logits", [B, V]),
    params: gpu.tensor("params", [B, SAMPLE_WORDS], "u32"),
    tokens: gpu.tensor("tokens", [B], "u32", new Uint32Array(B).fill(7)),
    penalties: gpu.tensor("penalties", [B, PENALTY_WORDS], "u32"),
    history: gpu.tensor("history", [B, V], "u32"),
    bias: gpu.tensor("bias", [B, V]),
  };
  const penalties = new Uint32Array(B * PENALTY_WORDS);
  const history = new Uint32Array(B * V).fill(3);
  slots.forEach((slot, b) => {
    writePenalties(penalties, b, slot.penalties);
    writeHistory(history.subarray(b * V, (b + 1) * V), slot.prompt, slot.stops);
    gpu.write(tensors.logits, logits[b] as Float32Array, b * V);
    gpu.write(tensors.bias, slot.bias, b * V);
  });
  gpu.write(tensors.penalties, penalties);
  gpu.write(tensors.history, history);
  const g = new Graph(gpu);
  const y = g.keep(adjustLogits(g, tensors.logits, tensors.params, tensors.tokens, tensors));
  const plan = await g.compile();
  const results: Float32Array[][] = [];
  const words = new Uint32Array(B * SAMPLE_WORDS);
  for (let step = 0; step <= (slots[0]?.sampled.length ?? 0); step++) {
    slots.forEach((_, b) => {
      writeSampling(words, b, { ...IDLE_SAMPLING, step, row: b === idle ? NOWHERE : b });
    });
    gpu.write(tensors.params, words);
    plan.submit();
    const all = await gpu.read(y);
    results.push(slots.map((_, b) => all.slice(b * V, (b + 1) * V)));
    // As `sample` does: the token of this step is written before the next step runs.
    gpu.write(
      tensors.tokens,
      Uint32Array.from(slots, ({ sampled }) => sampled[step] ?? 0),
    );
  }
  const counted = new Uint32Array(await gpu.readBytes(tensors.history));
  plan.dispose();
  return { results, counted };
}

const biasOf = (entries: Record<number, number>): Float32Array => {
  const bias = new Float32Array(V);
  for (const [id, value] of Object.entries(entries)) bias[Number(id)] = value;
  return bias;
};

const SLOTS: readonly Slot[] = [
  {
    penalties: { ...NONE, frequency: 0.7 },
    prompt: [1, 2],
    stops: [3],
    bias: biasOf({}),
    sampled: [5, 5, 9, 5, 999],
  },
  {
    penalties: { ...NONE, presence: -1.3 },
    prompt: [5],
    stops: [5],
    bias: biasOf({ 5: 2.5 }),
    sampled: [5, 9, 5, 9, 0],
  },
  {
    penalties: { ...NONE, repetition: 1.05 },
    prompt: [0, 4, 4, 999],
    stops: [0],
    bias: biasOf({}),
    sampled: [64, 65, 66, 64, 63],
  },
  {
    penalties: { frequency: -0.25, presence: 0.5, repetition: 0.5, minTokens: 3 },
    prompt: [8, 10, 12],
    stops: [10, 11],
    bias: biasOf({ 8: -100, 11: 100, 700: 0.125 }),
    sampled: [8, 8, 8, 11, 20],
  },
];

test("every step applies the formula to the tokens sampled before it", async () => {
  const logits = SLOTS.map((_, b) => random(V, b + 1).map((x) => x * 8));
  const { results } = await run(SLOTS, logits);
  results.forEach((row, step) => {
    row.forEach((y, b) => {
      const expected = adjusted(SLOTS[b] as Slot, logits[b] as Float32Array, step);
      const masked = [...expected.keys()].filter((id) => expected[id] === Math.fround(-1e29));
      for (const id of masked) {
        expect(y[id]).toBe(Math.fround(-1e29));
        y[id] = expected[id] = 0;
      }
      expectClose(y, expected, 1e-6);
      if (b === 3) expect(masked).toEqual(step < 3 ? [10, 11] : []);
    });
  });
});

test("neutral settings keep the bits of the logits", async () => {
  const logits = random(V, 9).map((x) => x * 8);
  const slot = {
    penalties: NONE,
    prompt: [1, 2, 3],
    stops: [4],
    bias: biasOf({}),
    sampled: [1, 4],
  };
  const { results } = await run([slot], [logits]);
  for (const [y] of results) expect(y).toEqual(logits);
});

test("counts last over replays, and idle slots count nothing", async () => {
  const logits = SLOTS.map((_, b) => random(V, b + 1));
  const { counted } = await run(SLOTS, logits, 1);
  const times = (b: number) => {
    const found: Record<number, number> = {};
    for (let id = 0; id < V; id++) {
      const count = (counted[b * V + id] as number) & 0x3fffffff;
      if (count > 0) found[id] = count;
    }
    return found;
  };
  expect(times(0)).toEqual({ 5: 3, 9: 1, 999: 1 });
  expect(times(1)).toEqual({});
  expect(times(2)).toEqual({ 63: 1, 64: 2, 65: 1, 66: 1 });
});

test("rejects shapes that don't fit", async () => {
  const gpu = await testGpu();
  const g = new Graph(gpu);
  const of = (label: string, ...shape: number[]) => g.scratch(shape, label);
  const adjustment = {
    penalties: of("penalties", 1, PENALTY_WORDS),
    history: of("history", 1, 9),
    bias: of("bias", 1, 10),
  };
  expect(() =>
    adjustLogits(g, of("logits", 1, 10), of("p", 1, SAMPLE_WORDS), of("t", 1), adjustment),
  ).toThrow("adjustLogits: history is [1,9], expected [1,10]");
});
