import { expect, test } from "vitest";
import { random, runOp, testGpu } from "../../tests/support.ts";
import { Graph } from "../gpu/graph.ts";
import { maskLogits, maskWords } from "./mask-logits.ts";

const LOWEST = Math.fround(-1e30);

/** The formula of `mask-logits.wgsl`. */
function masked(logits: Float32Array, mask: Uint32Array, V: number): Float32Array {
  return logits.map((logit, i) => {
    const id = i % V;
    const word = mask[Math.floor(i / V) * maskWords(V) + (id >>> 5)] as number;
    return ((word >>> (id & 31)) & 1) === 1 ? logit : LOWEST;
  });
}

const noise = (count: number, seed: number): Uint32Array =>
  Uint32Array.from(random(count, seed), (x) => (x + 1) * 2 ** 31);

test.each<[B: number, V: number, words: (count: number) => Uint32Array]>([
  [1, 1, (count) => new Uint32Array(count).fill(1)],
  [1, 31, (count) => noise(count, 1)],
  [1, 32, (count) => new Uint32Array(count).fill(0x80000001)],
  [2, 33, (count) => noise(count, 2)],
  [3, 1000, (count) => noise(count, 3)],
  [1, 64, (count) => new Uint32Array(count)],
  [1, 65, (count) => new Uint32Array(count).fill(0xffffffff)],
  [1, 151_669, (count) => noise(count, 4)],
])("%i x %i logits keep their bits where the mask is set", async (B, V, words) => {
  const gpu = await testGpu();
  const logits = random(B * V, 7).map((x) => x * 9);
  const mask = words(B * maskWords(V));
  const y = await runOp(gpu, (g) =>
    maskLogits(
      g,
      gpu.tensor("logits", [B, V], "f32", logits),
      gpu.tensor("mask", [B, maskWords(V)], "u32", mask),
    ),
  );
  expect(y).toEqual(masked(logits, mask, V));
});

test("rejects a mask of another vocabulary", async () => {
  const g = new Graph(await testGpu());
  const mask = g.scratch([1, 3], "mask", "u32");
  expect(() => maskLogits(g, g.scratch([1, 97]), mask)).toThrow(
    "maskLogits: mask is [1,3], expected [1,4]",
  );
});
