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
    const y = await runOp(gpu, (g) =>
      gatherRows(
        g,
        gpu.tensor("x", [T, D], "f32", x),
        gpu.tensor("indices", [B], "u32", Uint32Array.from(indices)),
      ),
    );
    const expected = indices.flatMap((t) => [...x.subarray(t * D, t * D + D)]);
    expectClose(y, expected, 0);
  });

  test.each([
    { T: 3, E: 1, D: 4, indices: [3, 0, 1, 2, 3] },
    { T: 5, E: 2, D: 260, indices: [6, 4, 5, 0, 6] },
  ])("of [$T, $D] and [$E, $D]", async ({ T, E, D, indices }) => {
    const gpu = await testGpu();
    const all = random((T + E) * D, 2);
    const y = await runOp(gpu, (g) =>
      gatherRows(
        g,
        gpu.tensor("x", [T, D], "f32", all.subarray(0, T * D)),
        gpu.tensor("indices", [indices.length], "u32", Uint32Array.from(indices)),
        { more: gpu.tensor("more", [E, D], "f32", all.subarray(T * D)) },
      ),
    );
    expectClose(
      y,
      indices.flatMap((t) => [...all.subarray(t * D, t * D + D)]),
      0,
    );
  });

  test("writes to a given tensor", async () => {
    const gpu = await testGpu();
    const into = gpu.tensor("into", [1, 4]);
    const x = gpu.tensor("x", [2, 4], "f32", random(8, 3));
    const indices = gpu.tensor("indices", [1], "u32", Uint32Array.of(1));
    const y = await runOp(gpu, (g) => gatherRows(g, x, indices, { into }));
    expectClose(y, random(8, 3).subarray(4), 0);
    expect(await gpu.read(into)).toEqual(y);
  });

  test("rejects shapes that don't fit", async () => {
    const gpu = await testGpu();
    const run = (D: number, into: readonly number[], more = [1, D]) =>
      runOp(gpu, (g) =>
        gatherRows(g, gpu.tensor("x", [2, D]), gpu.tensor("indices", [3], "u32"), {
          into: g.scratch(into),
          more: gpu.tensor("more", more),
        }),
      );
    await expect(run(8, [2, 8])).rejects.toThrow("gatherRows: into is [2,8], expected [3,8]");
    await expect(run(6, [3, 6])).rejects.toThrow("gatherRows: D is 6, expected a multiple of 4");
    await expect(run(8, [3, 8], [1, 4])).rejects.toThrow("more is [1,4], expected [E, 8]");
  });
});
