import { describe, expect, test } from "vitest";
import { expectClose, random, runOp, testGpu } from "../../tests/support.ts";
import { add } from "./add.ts";

describe("add", () => {
  test.each([
    { T: 1, D: 4, R: 1 },
    { T: 7, D: 33, R: 7 },
    { T: 6, D: 20, R: 2 },
    { T: 300, D: 257, R: 1 },
  ])("[$T, $D] + [$R, $D]", async ({ T, D, R }) => {
    const gpu = await testGpu();
    const a = random(T * D, 1);
    const b = random(R * D, 2);
    const y = await runOp(gpu, (g) =>
      add(g, gpu.tensor("a", [T, D], "f32", a), gpu.tensor("b", [R, D], "f32", b)),
    );
    expectClose(
      y,
      a.map((value, i) => value + (b[i % b.length] as number)),
      1e-6,
    );
  });

  test("rejects shapes that don't fit", async () => {
    const gpu = await testGpu();
    const run = runOp(gpu, (g) => add(g, gpu.tensor("a", [3, 4]), gpu.tensor("b", [2, 4])));
    await expect(run).rejects.toThrow("add: b is [2,4]");
  });
});
