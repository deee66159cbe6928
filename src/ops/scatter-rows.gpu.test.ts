import { describe, expect, test } from "vitest";
import { expectClose, random, runOp, testGpu } from "../../tests/support.ts";
import { NOWHERE } from "./row.ts";
import { scatterRows } from "./scatter-rows.ts";

describe("scatterRows", () => {
  test.each([
    { T: 1, N: 1, D: 4, targets: [0] },
    { T: 4, N: 7, D: 100, targets: [6, 0, NOWHERE, 3] },
    { T: 3, N: 5, D: 576, targets: [4, 5, 1] },
    { T: 65_600, N: 65_600, D: 4, targets: Array.from({ length: 65_600 }, (_, i) => 65_599 - i) },
  ])("$T rows of $D to $N", async ({ T, N, D, targets }) => {
    const gpu = await testGpu();
    const [x, before] = [random(T * D, 1), random(N * D, 2)];
    const into = gpu.tensor("into", [N, D], "f32", before);
    const y = await runOp(gpu, (g) => {
      const table = gpu.tensor("targets", [T], "u32", Uint32Array.from(targets));
      scatterRows(g, gpu.tensor("x", [T, D], "f32", x), table, into);
      return into;
    });
    const expected = before.slice();
    targets.forEach((target, i) => {
      if (target < N) expected.set(x.subarray(i * D, (i + 1) * D), target * D);
    });
    expectClose(y, expected, 0);
  });

  test("rejects shapes that don't fit", async () => {
    const gpu = await testGpu();
    const run = (D: number, targets: number[], into: number[]) =>
      runOp(gpu, (g) => {
        const target = gpu.tensor("into", into);
        const table = gpu.tensor("targets", targets, "u32");
        scatterRows(g, gpu.tensor("x", [2, D]), table, target);
        return target;
      });
    await expect(run(8, [3], [2, 8])).rejects.toThrow(
      "scatterRows: targets are [3] and into [2,8]",
    );
    await expect(run(8, [2], [2, 4])).rejects.toThrow("expected [2] and [N, 8]");
    await expect(run(6, [2], [2, 6])).rejects.toThrow("scatterRows: D is 6, expected a multiple");
  });
});
