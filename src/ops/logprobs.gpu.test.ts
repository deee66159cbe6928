import { expect, test } from "vitest";
import { random, testGpu } from "../../tests/support.ts";
import { Graph } from "../gpu/graph.ts";
import {
  LOGPROB_WORDS,
  type Logprobs,
  MAX_TOP_LOGPROBS,
  logprobs,
  readLogprobs,
} from "./logprobs.ts";

interface Slot {
  readonly logits: Float32Array;
  readonly token: number;
  readonly count: number;
}

async function run(slots: readonly Slot[]): Promise<Logprobs[]> {
  const gpu = await testGpu();
  const B = slots.length;
  const V = slots[0]?.logits.length as number;
  const words = (pick: (slot: Slot) => number) => Uint32Array.from(slots, pick);
  const logits = gpu.tensor("logits", [B, V]);
  slots.forEach((slot, b) => gpu.write(logits, slot.logits, b * V));
  const tokens = gpu.tensor(
    "tokens",
    [B],
    "u32",
    words(({ token }) => token),
  );
  const counts = gpu.tensor(
    "counts",
    [B],
    "u32",
    words(({ count }) => count),
  );
  const output = gpu.tensor("logprobs", [B, LOGPROB_WORDS], "u32");
  const g = new Graph(gpu);
  logprobs(g, logits, tokens, counts, output);
  (await g.compile()).submit();
  const all = new Uint32Array(await gpu.readBytes(output));
  return slots.map((_, b) =>
    readLogprobs(all.subarray(b * LOGPROB_WORDS, (b + 1) * LOGPROB_WORDS)),
  );
}

/** The expected logprobs, in doubles by a full sort. */
function reference({ logits, token, count }: Slot): Logprobs {
  const values = [...logits];
  const greatest = values.reduce((a, b) => Math.max(a, b));
  const total = values.reduce((sum, logit) => sum + Math.exp(logit - greatest), 0);
  const logprob = (id: number) => (values[id] as number) - greatest - Math.log(total);
  const order = [...values.keys()].sort(
    (a, b) => (values[b] as number) - (values[a] as number) || a - b,
  );
  const top = order.slice(0, count).map((id) => ({ id, logprob: logprob(id) }));
  return { logprob: logprob(token), top };
}

function expectLogprobs(actual: Logprobs, expected: Logprobs): void {
  expect(actual.top.map(({ id }) => id)).toEqual(expected.top.map(({ id }) => id));
  const flat = ({ logprob, top }: Logprobs) => [logprob, ...top.map((each) => each.logprob)];
  flat(actual).forEach((value, i) =>
    expect(Math.abs(value - (flat(expected)[i] as number))).toBeLessThan(1e-5),
  );
}

test.each([1, 7, 512, 513, 5000, 49_280, 151_936])("of %i tokens", async (V) => {
  const slots = [0, 1, 5, MAX_TOP_LOGPROBS].map((count, b) => ({
    logits: random(V, b + V).map((x) => x * 12),
    token: (b * 7919 + V - 1) % V,
    count,
  }));
  const results = await run(slots);
  results.forEach((result, b) => expectLogprobs(result, reference(slots[b] as Slot)));
});

test("one share may hold all of the most likely tokens", async () => {
  const logits = random(20_000, 3);
  for (let i = 0; i < 25; i++) logits[700 + i] = 10 + ((i * 7) % 25);
  const slot = { logits, token: 700, count: MAX_TOP_LOGPROBS };
  const [result = expect.fail()] = await run([slot]);
  expectLogprobs(result, reference(slot));
});

test("equally likely tokens are listed by ascending id, across shares too", async () => {
  const slot = { logits: new Float32Array(5000).fill(-3.5), token: 4999, count: 20 };
  const [result = expect.fail()] = await run([slot]);
  expect(result.top.map(({ id }) => id)).toEqual(Array.from({ length: 20 }, (_, id) => id));
  expectLogprobs(result, reference(slot));
  const ties = { ...slot, logits: random(5000, 4).map((x) => Math.round(x * 3)) };
  const [tied = expect.fail()] = await run([ties]);
  expectLogprobs(tied, reference(ties));
});

test("rejects shapes that don't fit", async () => {
  const g = new Graph(await testGpu());
  const of = (label: string, ...shape: number[]) => g.scratch(shape, label);
  expect(() =>
    logprobs(g, of("l", 1, 9), of("tokens", 2), of("c", 1), of("o", 1, LOGPROB_WORDS)),
  ).toThrow("logprobs: tokens is [2], expected [1]");
});
