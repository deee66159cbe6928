import { describe, expect, onTestFinished, test } from "vitest";
import { SHAPES } from "../../tests/families.ts";
import {
  ACTIVATED,
  FUSED,
  checkFused,
  fusedCase,
  product,
  release,
  testWeight,
} from "../../tests/linear-cases.ts";
import { feedForwardWidth } from "../../tests/shapes/narrow-feed-forward.ts";
import { expectClose, random, runOp, testGpu } from "../../tests/support.ts";
import { FORMAT_CASES, makeWeight } from "../../tests/weight-formats.ts";
import { Gpu } from "../gpu/device.ts";
import { kernelsFor } from "../gpu/kernels.ts";
import { loadShaders } from "../gpu/shaders/load-shaders.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { formatFits, partWords } from "../weights/format.ts";
import { bf16 } from "../weights/formats/bf16.ts";
import { f32 } from "../weights/formats/f32.ts";
import { q4 } from "../weights/formats/q4.ts";
import type { Activation } from "./activation.ts";
import { linear } from "./linear.ts";

const FEED_FORWARD_WIDTHS = [
  ...new Set(SHAPES.map(({ make, cut }) => feedForwardWidth(make(cut)))),
];

describe("linear", () => {
  const shapes = [
    { D: 64, O: 131 },
    { D: 200, O: 64 },
    { D: 216, O: 71 },
    { D: 8, O: 1 },
    { D: 1096, O: 1 },
    { D: 520, O: 300 },
  ];
  // Each number of rows up to 16 may be a kernel of its own, which takes longest to compile.
  const rowsOf = (kernels: "direct" | "plain", D: number): readonly number[] => {
    if (kernels === "plain") return [1, 3, 9, 65];
    return D === 200 || D === 216 ? [1, 2, 3, 4, 5, 8, 9, 17, 64, 65] : [1, 65];
  };
  const packable = FORMAT_CASES.filter(({ format }) => format.packer);
  const cases = packable.flatMap((one) => shapes.map((shape) => ({ ...one, ...shape })));

  const variants = [
    ...cases.map((matrix) => ({ kernels: "direct" as const, ...matrix })),
    // A software adapter takes seconds to compile workgroup memory, so these are fewer cases.
    ...cases
      .filter(({ D, title }) => D === 216 && /^(f32|q8|q6|q4)$/.test(title))
      .map((m) => ({ kernels: "plain" as const, ...m })),
  ];

  test.each(variants)("$kernels $title [$O, $D], 1 to 65 rows", async (c) => {
    const { format, D, O } = c;
    const gpu = await testGpu();
    const { weight, values } = await testWeight(gpu, O, D, format);
    const x = random(65 * D, 5);
    const expected = product(x, values, D);
    const kernels = c.kernels === "plain" ? { features: gpu.device.features } : gpu.kernels;
    for (const T of rowsOf(c.kernels, D)) {
      const rows = gpu.tensor("x", [T, D], "f32", x.subarray(0, T * D));
      const y = await runOp(gpu, (g) => linear(g, rows, weight), kernels);
      expectClose(y, expected.subarray(0, T * O), 1e-5);
    }
    release(gpu, weight);
  });

  test.each(packable.filter(({ format }) => formatFits(format, 588)))(
    "$title: rows of 588, which is no multiple of 8",
    async ({ format }) => {
      const gpu = await testGpu();
      const [O, D] = [37, 588];
      const { weight, values } = await testWeight(gpu, O, D, format);
      for (const T of [1, 6, 21]) {
        const x = random(T * D, T);
        const y = await runOp(gpu, (g) => linear(g, gpu.tensor("x", [T, D], "f32", x), weight));
        expectClose(y, product(x, values, D), 1e-5);
      }
    },
  );

  test.each(FEED_FORWARD_WIDTHS)(
    "rows of %d, as wide as a published feed-forward layer",
    async (D) => {
      const gpu = await testGpu();
      const O = 5;
      const { weight, values } = await testWeight(gpu, O, D, q4);
      for (const T of [1, 5]) {
        const x = random(T * D, T);
        const y = await runOp(gpu, (g) => linear(g, gpu.tensor("x", [T, D], "f32", x), weight));
        expectClose(y, product(x, values, D), 1e-5);
      }
      release(gpu, weight);
    },
  );

  test("on a device without subgroups", async () => {
    const adapter = await navigator.gpu.requestAdapter();
    const device = await adapter!.requestDevice();
    const kernels = await kernelsFor(adapter!.info, device, loadShaders);
    const gpu = new Gpu(device, adapter!.info, kernels);
    onTestFinished(() => gpu.destroy());
    const [O, D] = [70, 72];
    const { weight, values } = await testWeight(gpu, O, D, q4);
    for (const T of [1, 2, 7, 18]) {
      const x = random(T * D, T);
      const y = await runOp(gpu, (g) => linear(g, gpu.tensor("x", [T, D], "f32", x), weight));
      expectClose(y, product(x, values, D), 1e-5);
    }
  });

  test.each([f32, q4])("$name: as many outputs as a vocabulary", async (format) => {
    const gpu = await testGpu();
    const [O, D] = [70_001, 32];
    const { weight, values } = await testWeight(gpu, O, D, format);
    for (const T of [1, 3, 9]) {
      const x = random(T * D, T);
      const y = await runOp(gpu, (g) => linear(g, gpu.tensor("x", [T, D], "f32", x), weight));
      expectClose(y, product(x, values, D), 1e-5);
    }
    release(gpu, weight);
  });

  test.each(packable)("$title: a matrix in slices", async ({ format }) => {
    const gpu = await testGpu();
    const [O, D] = [150, 96];
    const maxBytes = 4 * Math.max(...format.parts.map((part) => partWords(part, 51, D)));
    const { weight, values } = await testWeight(gpu, O, D, format, { maxBytes });
    expect(weight.slices.length).toBe(3);
    const bias = random(O, 3);
    for (const T of [1, 33]) {
      const x = random(T * D, T);
      const y = await runOp(gpu, (g) =>
        linear(g, gpu.tensor("x", [T, D], "f32", x), weight, {
          bias: gpu.tensor("bias", [O], "f32", bias),
        }),
      );
      expectClose(
        y,
        product(x, values, D).map((sum, i) => sum + bias[i % O]!),
        1e-5,
      );
    }
  });

  const epilogues = [undefined, ...(Object.keys(ACTIVATED) as Activation[])].flatMap((activation) =>
    [false, true].flatMap((bias) => [0, 1, 3].map((R) => ({ activation, bias, R }))),
  );

  test.each(epilogues)("epilogue: bias $bias, $activation, residual rows $R", async (c) => {
    const gpu = await testGpu();
    const [O, D] = [72, 64];
    const { weight, values } = await testWeight(gpu, O, D, bf16);
    const bias = random(O, 11);
    const residual = random(c.R * O, 12);
    const tensor = (label: string, data: Float32Array, columns: number): Tensor =>
      gpu.tensor(label, [data.length / columns, columns], "f32", data);
    // Both are a part of a tile of rows.
    for (const T of c.R === 1 ? [12] : [3]) {
      const x = random(T * D, T);
      const y = await runOp(gpu, (g) =>
        linear(g, tensor("x", x, D), weight, {
          ...(c.bias && { bias: gpu.tensor("bias", [O], "f32", bias) }),
          ...(c.activation && { activation: c.activation }),
          ...(c.R > 0 && { residual: tensor("residual", residual, O) }),
        }),
      );
      const act = c.activation ? ACTIVATED[c.activation] : (v: number) => v;
      const expected = product(x, values, D).map((sum, i) => {
        const value = act(sum + (c.bias ? bias[i % O]! : 0));
        return value + (c.R > 0 ? residual[i % residual.length]! : 0);
      });
      expectClose(y, expected, 1e-5);
    }
  });

  test.each(FUSED)("direct, in one: %j", (one) => checkFused(one));

  test.each(FUSED)("plain, in one: %j", async (one) => {
    const gpu = await testGpu();
    await checkFused(one, { features: gpu.device.features });
  });

  test("a gated matrix in slices", async () => {
    const gpu = await testGpu();
    const [F, D, T] = [68, 96, 2];
    const { weight, values } = await testWeight(gpu, 2 * F, D, f32, { maxBytes: 51 * D * 4 });
    expect(weight.slices.length).toBe(3);
    const one = { F, gated: "silu", bias: true, norm: true } as const;
    const { options, expected, x } = fusedCase(gpu, one, values, T, D);
    const y = await runOp(gpu, (g) => linear(g, x, weight, options));
    expectClose(y, expected, 1e-5);
  });

  test("activations of large values stay finite", async () => {
    const gpu = await testGpu();
    const w = Float32Array.from({ length: 16 }, (_, i) => (i % 4 === 0 ? 1 : 0));
    const weight = await makeWeight(gpu, w, [4, 4], f32);
    for (const activation of Object.keys(ACTIVATED) as Activation[]) {
      for (const value of [-3e4, -90, 90, 3e4]) {
        const x = gpu.tensor("x", [1, 4], "f32", Float32Array.of(value, 0, 0, 0));
        const y = await runOp(gpu, (g) => linear(g, x, weight, { activation }));
        expectClose(y, Array(4).fill(Math.max(value, 0)), 1e-6);
      }
    }
  });

  test("rejects shapes that don't fit", async () => {
    const gpu = await testGpu();
    const { weight } = await testWeight(gpu, 8, 16, f32);
    const x = gpu.tensor("x", [2, 16]);
    const record = (options: Parameters<typeof linear>[3], input = x) =>
      runOp(gpu, (g) => linear(g, input, weight, options));
    await expect(record({}, gpu.tensor("x", [2, 8]))).rejects.toThrow("linear: x is [2,8]");
    await expect(record({ bias: gpu.tensor("b", [16]) })).rejects.toThrow("bias is [16]");
    await expect(record({ residual: gpu.tensor("r", [3, 8]) })).rejects.toThrow("residual is");
    const norm = { weight: gpu.tensor("n", [4]), eps: 1 };
    await expect(record({ norm })).rejects.toThrow("norm is [4]");
    await expect(record({ outputNorm: norm })).rejects.toThrow("outputNorm is [4]");
    const residual = gpu.tensor("r", [2, 8]);
    await expect(record({ gated: "silu", residual })).rejects.toThrow("as many gates as ups");
  });
});
