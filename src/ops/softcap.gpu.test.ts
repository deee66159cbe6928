import { expect, test } from "vitest";
import { expectClose, random, runOp, testGpu } from "../../tests/support.ts";
import { softcap } from "./softcap.ts";

test.each([
  { T: 1, D: 5, range: 3, cap: 30 },
  { T: 3, D: 257, range: 90, cap: 30 },
  { T: 1, D: 257_216, range: 20, cap: 8 },
  // Large values, where tanh overflows on some drivers.
  { T: 2, D: 100, range: 1e6, cap: 30 },
])("softcap of [$T, $D] in ±$range by $cap", async ({ T, D, range, cap }) => {
  const gpu = await testGpu();
  const x = random(T * D, 1).map((value) => value * range);
  const y = await runOp(gpu, (g) => softcap(g, gpu.tensor("x", [T, D], "f32", x), cap));
  expect(y.length).toBe(T * D);
  expectClose(
    y,
    x.map((value) => cap * Math.tanh(value / cap)),
    2e-6,
  );
});
