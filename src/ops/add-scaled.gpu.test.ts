import { describe, expect, test } from "vitest";
import { expectClose, random, runOp, testGpu } from "../../tests/support.ts";
import { addScaled } from "./add-scaled.ts";

describe("addScaled", () => {
  test.each([
    { T: 1, D: 4 },
    { T: 7, D: 33 },
    { T: 300, D: 257 },
  ])("[$T, $D]", async ({ T, D }) => {
    const gpu = await testGpu();
    const [a, b, scale] = [random(T * D, 1), random(T * D, 2), random(D, 3)];
    const y = await runOp(gpu, (g) =>
      addScaled(
        g,
        gpu.tensor("a", [T, D], "f32", a),
        gpu.tensor("b", [T, D], "f32", b),
        gpu.tensor("scale", [D], "f32", scale),
      ),
    );
    expectClose(
      y,
      a.map((value, i) => value + (scale[i % D] as number) * (b[i] as number)),
      1e-6,
    );
  });

  test("rejects shapes that don't fit", async () => {
    const gpu = await testGpu();
    const run = (b: number[], scale: number[]) =>
      runOp(gpu, (g) =>
        addScaled(g, gpu.tensor("a", [3, 4]), gpu.tensor("b", b), gpu.tensor("scale", scale)),
      );
    await expect(run([1, 4], [4])).rejects.toThrow("addScaled: b is [1,4]");
    await expect(run([3, 4], [3])).rejects.toThrow("scale [3], expected [3,4] and [4]");
  });
});
