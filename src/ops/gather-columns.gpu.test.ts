import { expect, test } from "vitest";
import { random, runOp, testGpu } from "../../tests/support.ts";
import { gatherColumns } from "./gather-columns.ts";

test.each([
  [1, 1],
  [3, 5],
  [7, 288],
  [40, 64],
])("[%d, %d]", async (T, D) => {
  const gpu = await testGpu();
  const x = random(T * D, 1);
  const columns = Uint32Array.from({ length: D }, (_, k) => (k * 7 + 3) % D);
  const y = await runOp(gpu, (g) =>
    gatherColumns(g, gpu.tensor("x", [T, D], "f32", x), gpu.tensor("columns", [D], "u32", columns)),
  );
  expect(y).toEqual(x.map((_, i) => x[i - (i % D) + columns[i % D]!]!));
});

test("rejects shapes that don't fit", async () => {
  const gpu = await testGpu();
  const run = runOp(gpu, (g) =>
    gatherColumns(g, gpu.tensor("x", [2, 4]), gpu.tensor("columns", [8], "u32")),
  );
  await expect(run).rejects.toThrow("gatherColumns: x is [2,4], columns are [8]");
});
