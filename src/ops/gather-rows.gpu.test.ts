import { describe, expect, test } from "vitest";
import { expectClose, random, runOp, testGpu } from "../../tests/support.ts";
import { gatherRows } from "./gather-rows.ts";

describe("gatherRows", () => {
  test.each([
    { T: 1, D: 4, indices: [0] },
    { T: 7, D: 100, indices: [6, 0, 6, 3] },
    { T: 300, D: 576, indices: [299] },
    { T: 5, D: 4, indices: Array.from({ length: 65_600 }, (_, i) => (i * 3) % 5) },
  ])("$indices.length of [$T, $D]", async ({ T, D, indices }) => {
    const gpu = await testGpu();
    const x = random(T * D, 1);
    const B = indices.length;
    const y = await runOp(gpu, (g) => {
      const into = g.scratch([B, D]);
      gatherRows(
        g,
        gpu.tensor("x", [T, D], "f32", x),
        gpu.tensor("indices", [B], "u32", Uint32Array.from(indices)),
        into,
      );
      return into;
    });
    const expected = indices.flatMap((t) => [...x.subarray(t * D, t * D + D)]);
    expectClose(y, expected, 0);
  });

  test("refuses shapes that don't fit", async () => {
    const gpu = await testGpu();
    const run = (D: number, into: readonly number[]) =>
      runOp(gpu, (g) => {
        const y = g.scratch(into);
        gatherRows(g, gpu.tensor("x", [2, D]), gpu.tensor("indices", [3], "u32"), y);
        return y;
      });
    await expect(run(8, [2, 8])).rejects.toThrow("gatherRows: into is [2,8], expected [3,8]");
    await expect(run(6, [3, 6])).rejects.toThrow("gatherRows: D is 6, expected a multiple of 4");
  });
});
