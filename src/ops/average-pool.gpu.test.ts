import { describe, expect, test } from "vitest";
import { expectClose, random, runOp, testGpu } from "../../tests/support.ts";
import { averagePool } from "./average-pool.ts";

/** x `[B, side, side, C]` → `[B, side / s, side / s, C]` */
function reference(x: Float32Array, B: number, side: number, C: number, s: number) {
  const blocks = side / s;
  const y = new Float64Array(B * blocks * blocks * C);
  x.forEach((value, i) => {
    const c = i % C;
    const col = Math.floor(i / C) % side;
    const row = Math.floor(i / C / side) % side;
    const b = Math.floor(i / C / side / side);
    const block = (b * blocks + Math.floor(row / s)) * blocks + Math.floor(col / s);
    y[block * C + c] = (y[block * C + c] as number) + value / (s * s);
  });
  return y;
}

describe("averagePool", () => {
  test.each([
    { B: 1, side: 2, C: 4, s: 2 },
    { B: 1, side: 5, C: 4, s: 1 },
    { B: 2, side: 12, C: 144, s: 4 },
    { B: 3, side: 9, C: 20, s: 3 },
    { B: 1, side: 64, C: 1152, s: 4 },
    { B: 130, side: 32, C: 256, s: 2 },
  ])("[$B * $side², $C] by $s", async ({ B, side, C, s }) => {
    const gpu = await testGpu();
    const x = random(B * side * side * C, 1);
    const y = await runOp(gpu, (g) =>
      averagePool(g, gpu.tensor("x", [B * side * side, C], "f32", x), side, s),
    );
    expectClose(y, reference(x, B, side, C, s), 1e-6);
  });

  test("rejects shapes that don't fit", async () => {
    const gpu = await testGpu();
    const run = (P: number, C: number, s: number) =>
      runOp(gpu, (g) => averagePool(g, gpu.tensor("x", [P, C]), 4, s));
    await expect(run(15, 4, 2)).rejects.toThrow("x is [15,4], expected [B * 4 * 4, C]");
    await expect(run(16, 4, 3)).rejects.toThrow("expected [B * 4 * 4, C], and s, 3, dividing 4");
    await expect(run(16, 6, 2)).rejects.toThrow("C is 6, expected a multiple of 4");
  });
});
