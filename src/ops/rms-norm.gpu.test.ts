import { describe, expect, test } from "vitest";
import { expectClose, random, runOp, testGpu } from "../../tests/support.ts";
import { rmsNorm } from "./rms-norm.ts";

/** x `[T, D]`, weight `[D]` → `[T, D]` */
function reference(x: Float32Array, weight: Float32Array, eps: number, offset: number) {
  const D = weight.length;
  return x.map((value, i) => {
    const row = x.subarray(i - (i % D), i - (i % D) + D);
    const mean = row.reduce((sum, v) => sum + v * v, 0) / D;
    return (value / Math.sqrt(mean + eps)) * ((weight[i % D] as number) + offset);
  });
}

describe("rmsNorm", () => {
  test.each([
    { T: 1, D: 4, eps: 1e-5, offset: 0, lanes: 64 },
    { T: 1, D: 576, eps: 1e-5, offset: 0, lanes: 64 },
    { T: 7, D: 260, eps: 1e-6, offset: 1, lanes: 64 },
    { T: 7, D: 260, eps: 1e-6, offset: 1, lanes: 4 },
    { T: 3, D: 2048, eps: 0.5, offset: 0, lanes: 64 },
    { T: 3, D: 2048, eps: 0.5, offset: 0, lanes: 4 },
    { T: 65, D: 100, eps: 1e-6, offset: 0, lanes: 64 },
    { T: 65_600, D: 4, eps: 1e-6, offset: 0, lanes: 4 },
  ] as const)(
    "[$T, $D] eps $eps offset $offset, $lanes lanes",
    async ({ T, D, eps, ...options }) => {
      const gpu = await testGpu();
      const x = random(T * D, 1);
      const weight = random(D, 2);
      const y = await runOp(gpu, (g) =>
        rmsNorm(
          g,
          gpu.tensor("x", [T, D], "f32", x),
          gpu.tensor("weight", [D], "f32", weight),
          eps,
          options,
        ),
      );
      expectClose(y, reference(x, weight, eps, options.offset), 1e-5);
    },
  );

  test.each([
    { T: 1, D: 260 },
    { T: 5, D: 64 },
  ])("[$T, $D] with a residual", async ({ T, D }) => {
    const gpu = await testGpu();
    const [x, weight, residual] = [random(T * D, 1), random(D, 2), random(T * D, 3)];
    const tensor = (data: Float32Array) => gpu.tensor("x", [data.length / D, D], "f32", data);
    const y = await runOp(gpu, (g) =>
      rmsNorm(g, tensor(x), tensor(weight), 1e-6, { residual: tensor(residual) }),
    );
    const expected = reference(x, weight, 1e-6, 0).map((value, i) => value + residual[i]!);
    expectClose(y, expected, 1e-5);
  });

  test("rejects shapes that don't fit", async () => {
    const gpu = await testGpu();
    const run = (D: number, W: number) =>
      runOp(gpu, (g) => rmsNorm(g, gpu.tensor("x", [2, D]), gpu.tensor("weight", [W]), 1e-5));
    await expect(run(8, 4)).rejects.toThrow("rmsNorm: weight is [4], expected [8]");
    const residual = gpu.tensor("r", [1, 8]);
    const added = runOp(gpu, (g) =>
      rmsNorm(g, gpu.tensor("x", [2, 8]), gpu.tensor("weight", [8]), 1e-5, { residual }),
    );
    await expect(added).rejects.toThrow("rmsNorm: residual is [1,8], expected [2,8]");
    await expect(run(6, 6)).rejects.toThrow("rmsNorm: D is 6, expected a multiple of 4");
  });
});
