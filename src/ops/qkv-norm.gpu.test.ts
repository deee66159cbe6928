import { describe, expect, test } from "vitest";
import { expectClose, random, runOp, testGpu } from "../../tests/support.ts";
import { qkvNorm } from "./qkv-norm.ts";

/** qkv `[T, 3 * D]`, weights `[D]` → `[T, 3 * D]` */
function reference(
  qkv: Float32Array,
  qWeight: Float32Array,
  kWeight: Float32Array,
  eps: number,
): Float32Array {
  const D = qWeight.length;
  const weights = [qWeight, kWeight];
  return qkv.map((value, i) => {
    const weight = weights[Math.floor(i / D) % 3];
    if (!weight) return value;
    const section = qkv.subarray(i - (i % D), i - (i % D) + D);
    const mean = section.reduce((sum, v) => sum + v * v, 0) / D;
    return (value / Math.sqrt(mean + eps)) * (weight[i % D] as number);
  });
}

describe("qkvNorm", () => {
  test.each([
    { T: 1, D: 4, eps: 1e-6, lanes: 64 },
    { T: 7, D: 260, eps: 1e-6, lanes: 64 },
    { T: 7, D: 260, eps: 0.5, lanes: 4 },
    { T: 2, D: 3200, eps: 1e-6, lanes: 4 },
    { T: 22_000, D: 4, eps: 1e-6, lanes: 4 },
  ] as const)("[$T, 3 * $D] eps $eps, $lanes lanes", async ({ T, D, eps, lanes }) => {
    const gpu = await testGpu();
    const qkv = random(T * D * 3, 1);
    const q = random(D, 2);
    const k = random(D, 3);
    const y = await runOp(gpu, (g) =>
      qkvNorm(
        g,
        gpu.tensor("qkv", [T, D * 3], "f32", qkv),
        gpu.tensor("q", [D], "f32", q),
        gpu.tensor("k", [D], "f32", k),
        eps,
        lanes,
      ),
    );
    expectClose(y, reference(qkv, q, k, eps), 1e-5);
  });

  test("rejects shapes that don't fit", async () => {
    const gpu = await testGpu();
    const run = (width: number, W: number) => {
      const [qkv, weight] = [gpu.tensor("qkv", [2, width]), gpu.tensor("weight", [W])];
      return runOp(gpu, (g) => qkvNorm(g, qkv, weight, weight, 1e-5));
    };
    await expect(run(24, 4)).rejects.toThrow("qkvNorm: weights are [4] and [4], expected [8]");
    await expect(run(18, 6)).rejects.toThrow("qkvNorm: qkv is [2,18], expected a multiple of 12");
  });
});
