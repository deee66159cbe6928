import { describe, expect, test } from "vitest";
import { expectClose, random, runOp, testGpu } from "../../tests/support.ts";
import { spaceToDepth } from "./space-to-depth.ts";

/** Swaps axes 1 and 2 of `[B, R, Q, E]`: `permute(0, 2, 1, 3)`. */
function permute0213(x: Float32Array, [B, R, Q, E]: [number, number, number, number]) {
  const y = new Float32Array(x.length);
  for (let b = 0; b < B; b++) {
    for (let r = 0; r < R; r++) {
      for (let q = 0; q < Q; q++) {
        const from = ((b * R + r) * Q + q) * E;
        y.set(x.subarray(from, from + E), ((b * Q + q) * R + r) * E);
      }
    }
  }
  return y;
}

/** `pixel_shuffle` of Idefics3, step by step. The views between the permutes move no data. */
function pixelShuffle(x: Float32Array, B: number, side: number, C: number, s: number) {
  // view [B, side, side / s, C * s], permute [B, side / s, side, C * s]
  const once = permute0213(x, [B, side, side / s, C * s]);
  // reshape [B, side / s, side / s, C * s * s], permute
  return permute0213(once, [B, side / s, side / s, C * s * s]);
}

describe("spaceToDepth", () => {
  test.each([
    { B: 1, side: 2, C: 4, s: 2 },
    { B: 1, side: 5, C: 4, s: 1 },
    { B: 2, side: 9, C: 12, s: 3 },
    { B: 3, side: 8, C: 20, s: 4 },
    { B: 1, side: 32, C: 768, s: 4 },
    { B: 70, side: 32, C: 256, s: 4 },
  ])("[$B * $side², $C] by $s", async ({ B, side, C, s }) => {
    const gpu = await testGpu();
    const x = random(B * side * side * C, 1);
    const y = await runOp(gpu, (g) =>
      spaceToDepth(g, gpu.tensor("x", [B * side * side, C], "f32", x), side, s),
    );
    expectClose(y, pixelShuffle(x, B, side, C, s), 0);
  });

  test("rejects shapes that don't fit", async () => {
    const gpu = await testGpu();
    const run = (P: number, C: number, s: number) =>
      runOp(gpu, (g) => spaceToDepth(g, gpu.tensor("x", [P, C]), 4, s));
    await expect(run(15, 4, 2)).rejects.toThrow("x is [15,4], expected [B * 4 * 4, C]");
    await expect(run(16, 4, 3)).rejects.toThrow("expected [B * 4 * 4, C], and s, 3, dividing 4");
    await expect(run(16, 6, 2)).rejects.toThrow("C is 6, expected a multiple of 4");
  });
});
