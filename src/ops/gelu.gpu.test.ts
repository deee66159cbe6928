import { describe, expect, test } from "vitest";
import { expectClose, random, runOp, testGpu } from "../../tests/support.ts";
import { type GeluKind, gelu } from "./gelu.ts";

const REFERENCE: Record<GeluKind, (x: number) => number> = {
  tanh: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  erf: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
  quick: (x) => x / (1 + Math.exp(-1.702 * x)),
};

/** erf by its Taylor series, which doubles sum to 1e-9 up to 4.5; beyond that it is ±1. */
function erf(x: number): number {
  if (Math.abs(x) > 4.5) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; n < 120; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

describe.each(["tanh", "erf", "quick"] as const)("gelu %s", (kind) => {
  test.each([
    { T: 1, D: 4, range: 3 },
    { T: 7, D: 100, range: 6 },
    { T: 65, D: 772, range: 6 },
    // Far out, where exp() overflows or underflows.
    { T: 3, D: 256, range: 300 },
  ])("[$T, $D] in ±$range", async ({ T, D, range }) => {
    const gpu = await testGpu();
    const x = random(T * D, 1).map((value) => value * range);
    const y = await runOp(gpu, (g) => gelu(g, gpu.tensor("x", [T, D], "f32", x), kind));
    expectClose(y, x.map(REFERENCE[kind]), 2e-6);
  });
});

test("gelu of more workgroups than a grid dimension holds", async () => {
  const gpu = await testGpu();
  const x = random(65_600 * 256, 1);
  const y = await runOp(gpu, (g) => gelu(g, gpu.tensor("x", [65_600, 256], "f32", x), "tanh"));
  const tail = x.length - 4096;
  expectClose(y.subarray(tail), x.subarray(tail).map(REFERENCE.tanh), 2e-6);
});

test("gelu refuses a size that four does not divide", async () => {
  const gpu = await testGpu();
  const run = runOp(gpu, (g) => gelu(g, gpu.tensor("x", [3, 5]), "tanh"));
  await expect(run).rejects.toThrow("gelu: x is [3,5], expected a multiple of 4");
});
