import { describe, expect, test } from "vitest";
import { expectClose, random, runOp, testGpu } from "../../tests/support.ts";
import { layerNorm } from "./layer-norm.ts";

/** x `[T, D]`, weight and bias `[D]` → `[T, D]` */
function reference(x: Float32Array, weight: Float32Array, bias: Float32Array, eps: number) {
  const D = weight.length;
  return x.map((value, i) => {
    const row = x.subarray(i - (i % D), i - (i % D) + D);
    const mean = row.reduce((sum, v) => sum + v, 0) / D;
    const variance = row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / D;
    const scale = (weight[i % D] as number) / Math.sqrt(variance + eps);
    return (value - mean) * scale + (bias[i % D] as number);
  });
}

describe("layerNorm", () => {
  test.each([
    { T: 1, D: 4, shift: 0, tolerance: 1e-5, lanes: 64 },
    { T: 1, D: 768, shift: 0, tolerance: 1e-5, lanes: 64 },
    { T: 7, D: 260, shift: 0, tolerance: 1e-5, lanes: 64 },
    { T: 7, D: 260, shift: 0, tolerance: 1e-5, lanes: 4 },
    { T: 65, D: 1152, shift: 0, tolerance: 1e-5, lanes: 64 },
    { T: 65_600, D: 4, shift: 0, tolerance: 1e-5, lanes: 4 },
    // f32 holds 1000 + v to 3e-5 of v; the one-pass variance would be wrong by 1e-1.
    { T: 5, D: 768, shift: 1000, tolerance: 3e-4, lanes: 64 },
    { T: 5, D: 768, shift: 1000, tolerance: 3e-4, lanes: 4 },
  ] as const)("[$T, $D] around $shift, $lanes lanes", async ({ T, D, shift, tolerance, lanes }) => {
    const gpu = await testGpu();
    const x = random(T * D, 1).map((value) => value + shift);
    const weight = random(D, 2);
    const bias = random(D, 3);
    const y = await runOp(gpu, (g) =>
      layerNorm(
        g,
        gpu.tensor("x", [T, D], "f32", x),
        gpu.tensor("weight", [D], "f32", weight),
        gpu.tensor("bias", [D], "f32", bias),
        1e-6,
        lanes,
      ),
    );
    expectClose(y, reference(x, weight, bias, 1e-6), tolerance);
  });

  test("rejects shapes that don't fit", async () => {
    const gpu = await testGpu();
    const run = (D: number, W: number) =>
      runOp(gpu, (g) => {
        const weight = gpu.tensor("weight", [W]);
        return layerNorm(g, gpu.tensor("x", [2, D]), weight, weight, 1e-5);
      });
    await expect(run(8, 4)).rejects.toThrow("layerNorm: weight is [4] and bias [4], expected [8]");
    await expect(run(6, 6)).rejects.toThrow("layerNorm: D is 6, expected a multiple of 4");
  });
});
