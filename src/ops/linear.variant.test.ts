import { describe, expect, test } from "vitest";
import { FUSED, checkFused } from "../../tests/linear-cases.ts";
import { expectClose, random, runOp, testGpu } from "../../tests/support.ts";
import { GPU_KERNELS } from "../../tests/variants.ts";
import { makeWeight, FORMAT_CASES, referenceOf } from "../../tests/weight-formats.ts";
import type { Kernels } from "../gpu/kernels.ts";
import type { Weight } from "../gpu/weight.ts";
import { formatFits } from "../weights/format.ts";
import { q4 } from "../weights/formats/q4.ts";
import { linear } from "./linear.ts";

/** Products of each format with a matrix `[O, D]`, for rows of x. */
async function check(
  kernels: Kernels,
  titles: RegExp,
  O: number,
  D: number,
  rows: readonly number[],
) {
  const gpu = await testGpu();
  for (const { format, title } of FORMAT_CASES.filter(
    ({ title, format }) => titles.test(title) && formatFits(format, D),
  )) {
    const source = random(O * D, O + D);
    const { pack, unpack } = referenceOf(format);
    const words = pack(source, D, format);
    const values = unpack(words, [O, D], format);
    const parts = words.map((data) => gpu.tensor("part", [data.length], "u32", data));
    const weight: Weight = {
      label: title,
      shape: [O, D],
      slices: [{ first: 0, rows: O, format, parts }],
    };
    const bias = random(O, 3);
    const biasTensor = gpu.tensor("bias", [O], "f32", bias);
    const most = Math.max(...rows);
    const x = random(most * D, 5);
    const expected = Float64Array.from({ length: most * O }, (_, i) => {
      const [t, o] = [Math.floor(i / O), i % O];
      let sum = bias[o]!;
      for (let k = 0; k < D; k++) sum += x[t * D + k]! * values[o * D + k]!;
      return sum;
    });
    let first: Float32Array | undefined;
    for (const T of rows) {
      const input = gpu.tensor("x", [T, D], "f32", x.subarray(0, T * D));
      const y = await runOp(gpu, (g) => linear(g, input, weight, { bias: biasTensor }), kernels);
      expectClose(y, expected.subarray(0, T * O), 1e-5);
      // A row's sums are in one order, alone and in company.
      first ??= y.slice(0, O);
      if (T <= 8) expect(y.slice(0, O), title).toEqual(first);
    }
  }
}

/** lavapipe takes seconds to compile a kernel. */
const all = process.env.WEBVLM_VARIANTS === "all";

describe.each(GPU_KERNELS)("linear on GPUs with $name", (kernels) => {
  test("few rows", async () => {
    // Eight lanes share a row, 32 lanes, and two units have no weights for most lanes.
    await check(kernels, /^(q4|q8)$/, 71, 96, [1, 3]);
    await check(kernels, /^q4$/, 5, 1056, [1]);
    // A row is no whole unit.
    await check(kernels, /^(q6|f32)$/, 37, 588, [1]);
    await check(kernels, /^mlx (4\/32 F16|8\/64)/, 23, 128, [1]);
    // Each lane has four rows.
    await check(kernels, /^q4$/, 8201, 64, [1]);
  });

  test.each(all ? FUSED : [FUSED[1]!, FUSED[4]!])("in one: %j", (one) => checkFused(one, kernels));

  if (all)
    test("many rows, all sizes", async () => {
      for (const [O, D] of [
        [131, 64],
        [64, 200],
        [71, 588],
        [1, 1096],
      ] as const) {
        await check(kernels, /^(f32|q4|q6|q8)$/, O, D, [9, 32, 65, 100]);
      }
    });

  if (all)
    test("few rows, all sizes", async () => {
      for (const [O, D] of [
        [131, 64],
        [64, 200],
        [71, 216],
        [1, 8],
        [1, 1096],
        [300, 2048],
        [8200, 160],
      ] as const) {
        await check(kernels, /./, O, D, [1, 2, 4, 5, 8]);
      }
    });
});

describe("linear on GPUs, many rows", () => {
  const kernels = GPU_KERNELS[0]!;
  test("sums in parts equal whole ones bit for bit", async () => {
    const gpu = await testGpu();
    const [O, D] = [72, 392];
    const source = random(O * D, 1);
    const weight = await makeWeight(gpu, source, [O, D], q4);
    const { pack, unpack } = referenceOf(q4);
    const values = unpack(pack(source, D, q4), [O, D], q4);
    // So many that no part is computed apart.
    const most = 2048;
    const x = random(most * D, 5);
    const residual = random(O, 6);
    const added = gpu.tensor("residual", [1, O], "f32", residual);
    const of = (T: number, kernels?: Kernels) =>
      runOp(
        gpu,
        (g) => {
          const input = gpu.tensor("x", [T, D], "f32", x.subarray(0, T * D));
          return linear(g, input, weight, { residual: added });
        },
        kernels,
      );
    const whole = await of(most, kernels);
    for (const T of [10, 40]) {
      expect(await of(T, kernels), `${T} rows`).toEqual(whole.slice(0, T * O));
    }
    const expected = Float64Array.from({ length: 40 * O }, (_, i) => {
      const [t, o] = [Math.floor(i / O), i % O];
      let sum = residual[o]!;
      for (let k = 0; k < D; k++) sum += x[t * D + k]! * values[o * D + k]!;
      return sum;
    });
    expectClose(whole.slice(0, 40 * O), expected, 1e-5);
  });
});
