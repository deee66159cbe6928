import { describe, expect, test } from "vitest";
import { expectClose, random, runOp, testGpu } from "../../tests/support.ts";
import { swiglu } from "./swiglu.ts";

/** gateUp `[T, 2F]` → `[T, F]` */
function reference(gateUp: Float32Array, F: number) {
  return Float32Array.from({ length: gateUp.length / 2 }, (_, i) => {
    const start = Math.floor(i / F) * 2 * F + (i % F);
    const gate = gateUp[start] as number;
    return (gate / (1 + Math.exp(-gate))) * (gateUp[start + F] as number);
  });
}

describe("swiglu", () => {
  test.each([
    { T: 1, F: 4, range: 4 },
    { T: 7, F: 100, range: 4 },
    { T: 65, F: 1536, range: 10 },
    // Gates down to -200: exp(200) is beyond f32.
    { T: 3, F: 256, range: 200 },
    { T: 70_000, F: 64, range: 4 },
  ])("[$T, 2 * $F] in ±$range", async ({ T, F, range }) => {
    const gpu = await testGpu();
    const gateUp = random(T * 2 * F, 1).map((value) => value * range);
    const y = await runOp(gpu, (g) => swiglu(g, gpu.tensor("gateUp", [T, 2 * F], "f32", gateUp)));
    expectClose(y, reference(gateUp, F), 1e-5);
  });

  test("refuses a width that four does not divide", async () => {
    const gpu = await testGpu();
    const run = runOp(gpu, (g) => swiglu(g, gpu.tensor("gateUp", [2, 12])));
    await expect(run).rejects.toThrow("swiglu: 2F is 12, expected a multiple of 8");
  });
});
