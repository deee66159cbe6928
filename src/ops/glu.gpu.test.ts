import { describe, expect, test } from "vitest";
import { expectClose, random, runOp, testGpu } from "../../tests/support.ts";
import type { Activation } from "./activation.ts";
import { glu } from "./glu.ts";

const REFERENCES = {
  silu: (v: number) => v / (1 + Math.exp(-v)),
  gelu_tanh: (v: number) =>
    0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))),
} satisfies Partial<Record<Activation, (v: number) => number>>;

/** gateUp `[T, 2F]` → `[T, F]` */
function reference(gateUp: Float32Array, F: number, activate: (v: number) => number) {
  return Float32Array.from({ length: gateUp.length / 2 }, (_, i) => {
    const start = Math.floor(i / F) * 2 * F + (i % F);
    return activate(gateUp[start] as number) * (gateUp[start + F] as number);
  });
}

describe.each(["silu", "gelu_tanh"] as const)("glu by %s", (activation) => {
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
    const y = await runOp(gpu, (g) =>
      glu(g, gpu.tensor("gateUp", [T, 2 * F], "f32", gateUp), activation),
    );
    expectClose(y, reference(gateUp, F, REFERENCES[activation]), 1e-5);
  });
});

test("rejects a width that is no multiple of 4", async () => {
  const gpu = await testGpu();
  const run = runOp(gpu, (g) => glu(g, gpu.tensor("gateUp", [2, 12]), "silu"));
  await expect(run).rejects.toThrow("glu: gateUp is [2,12], expected rows of a multiple of 8");
});
