import { describe, expect, test } from "vitest";
import { expectClose, random, runOp, testGpu } from "../../tests/support.ts";
import { linear } from "../ops/linear.ts";
import { transposed } from "./transposed.ts";

/** x `[T, D]` times w `[D, O]` in double precision. */
function product(x: Float32Array, w: Float32Array, D: number, O: number): Float64Array {
  return Float64Array.from({ length: (x.length / D) * O }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < D; k++) {
      sum += (x[Math.floor(i / O) * D + k] as number) * (w[k * O + (i % O)] as number);
    }
    return sum;
  });
}

describe("transposed", () => {
  test.each([
    { T: 1, D: 144, O: 96 },
    { T: 3, D: 4, O: 1 },
    { T: 9, D: 588, O: 37 },
    { T: 70, D: 216, O: 131 },
    { T: 256, D: 64, O: 260 },
  ])("[$T, $D] by [$D, $O]", async ({ T, D, O }) => {
    const gpu = await testGpu();
    const x = random(T * D, 1);
    const w = random(D * O, 2);
    const y = await runOp(gpu, (g) =>
      linear(g, gpu.tensor("x", [T, D], "f32", x), transposed(gpu.tensor("w", [D, O], "f32", w))),
    );
    expectClose(y, product(x, w, D, O), 1e-5);
  });

  test("refuses a vector, and a D that is no multiple of 4", async () => {
    const gpu = await testGpu();
    expect(() => transposed(gpu.tensor("w", [8]))).toThrow("transposed: w is [8], expected");
    expect(() => transposed(gpu.tensor("w", [6, 8]))).toThrow("transposed: w is [6,8], expected");
  });
});
