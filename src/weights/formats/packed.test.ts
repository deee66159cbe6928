import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { packedCheckpoint, type PackedMatrix } from "../../../tests/packed-checkpoint.ts";
import { decodeMatrix, PACKED_MATRICES } from "../../../tests/packed.ts";
import { countingGpu } from "../../runtime/counting-device.ts";
import { GpuWeights } from "../gpu-weights.ts";
import { codeAt, putCode } from "./codes.ts";

const sha256 = (values: Float32Array) =>
  createHash("sha256").update(new Uint8Array(values.buffer)).digest("hex");

const matrixOf = (title: string) =>
  PACKED_MATRICES.find((matrix) => matrix.title.startsWith(title)) ?? expect.fail(title);

/** A matrix under another name, its tensors too. */
function renamed(matrix: PackedMatrix, path: string): PackedMatrix {
  const from = matrix.name.slice(0, -".weight".length);
  const tensors = Object.entries(matrix.tensors).map(
    ([name, tensor]) => [name.replace(from, path), tensor] as const,
  );
  return { ...matrix, name: `${path}.weight`, tensors: Object.fromEntries(tensors) };
}

describe.each(PACKED_MATRICES)("$title", (matrix) => {
  test.each([undefined, "reversed"] as const)("has exactly its values, order %s", async (order) => {
    const { values, shape, gpuBytes, fileBytes } = await decodeMatrix(matrix, order);
    expect(shape).toEqual(matrix.shape);
    expect(sha256(values)).toBe(matrix.sha256);
    expect(gpuBytes).toBeLessThanOrEqual(1.05 * fileBytes);
  });
});

test("scales are no parameters", () => {
  for (const matrix of PACKED_MATRICES) {
    const weights = new GpuWeights(countingGpu(), packedCheckpoint([matrix]));
    weights.matrix(matrix.name, matrix.shape[1]);
    const [{ tensors, parameters } = expect.fail()] = weights.allocated;
    expect(tensors.length).toBe(parameters.length);
    const count = parameters.reduce((sum, one) => sum + one, 0);
    expect(count, matrix.title).toBe(matrix.shape[0] * matrix.shape[1]);
  }
});

test("a compressed matrix whose width the model does not say has that of config.json's bits", () => {
  const matrix = matrixOf("compressed-qwen2_5_vl");
  const weights = new GpuWeights(countingGpu(), packedCheckpoint([matrix]));
  expect(weights.head(matrix.name).shape).toEqual(matrix.shape);
});

test("zero points of compressed-tensors may be one byte each", async () => {
  const matrix = matrixOf("compressed-qwen3_vl");
  const name = `${matrix.name}_zero_point`;
  const [O, groups] = [matrix.shape[0], matrix.tensors[name]!.shape[1]!];
  const stored = Buffer.from(matrix.tensors[name]!.data, "base64");
  const bytes = Int8Array.from({ length: O * groups }, (_, i) => {
    const [o, g] = [Math.floor(i / groups), i % groups];
    const word = stored.readUInt32LE(4 * (Math.floor(o / 8) * groups + g));
    return ((word >>> ((o % 8) * 4)) & 15) - 8;
  });
  const data = Buffer.from(bytes.buffer).toString("base64");
  const tensors = { ...matrix.tensors, [name]: { dtype: "I8", shape: [O, groups], data } };
  expect(sha256((await decodeMatrix({ ...matrix, tensors })).values)).toBe(matrix.sha256);
});

/** A matrix of compressed-tensors whose column k is column `from[k]` of the given one, as actorder "group" has it. */
function withGroups(
  matrix: PackedMatrix,
  from: readonly number[],
  groups: Int32Array<ArrayBuffer>,
) {
  const base64 = (words: { readonly buffer: ArrayBuffer }) =>
    Buffer.from(words.buffer).toString("base64");
  const [O, D] = matrix.shape;
  const { data, ...codes } = matrix.tensors[`${matrix.name}_packed`]!;
  const stored = new Uint32Array(Uint8Array.from(Buffer.from(data, "base64")).buffer);
  const words = new Uint32Array(stored.length);
  for (let row = 0; row < stored.length; row += D / 8) {
    from.forEach((k, to) => putCode(words, row, to, 4, codeAt(stored, row, k, 4)));
  }
  expect(words.length).toBe((O * D) / 8);
  const tensors = {
    ...matrix.tensors,
    [`${matrix.name}_packed`]: { ...codes, data: base64(words) },
    [`${matrix.name}_g_idx`]: { dtype: "I32", shape: [D], data: base64(groups) },
  };
  return { ...matrix, tensors };
}

describe.each(["compressed-qwen2_5_vl", "compressed-qwen3_vl"])("%s with groups", (title) => {
  const matrix = matrixOf(title);
  const [, D] = matrix.shape;
  const from = Array.from({ length: D }, (_, k) => (97 * k) % D);

  test.each([undefined, "reversed"] as const)(
    "of columns that lie anywhere has exactly its values, order %s",
    async (order) => {
      const { values: sorted } = await decodeMatrix(matrix);
      const groups = Int32Array.from(from, (k) => Math.floor(k / 128));
      const { values } = await decodeMatrix(withGroups(matrix, from, groups), order);
      expect(values).toEqual(sorted.map((_, i) => sorted[i - (i % D) + from[i % D]!]!));
    },
  );

  test("that are not set has its own order of columns, and others must be whole", async () => {
    const own = from.map((_, k) => k);
    const unset = await decodeMatrix(withGroups(matrix, own, new Int32Array(D).fill(-1)));
    expect(sha256(unset.values)).toBe(matrix.sha256);
    const one = decodeMatrix(withGroups(matrix, own, new Int32Array(D)));
    await expect(one).rejects.toThrow("is of group 0, expected groups of 128 columns");
  });
});

test("compressed-tensors calls the scales of FP8 blocks otherwise", async () => {
  const matrix = matrixOf("fp8-qwen3_vl");
  const tensors = Object.entries(matrix.tensors).map(
    ([name, tensor]) => [name.replace("weight_scale_inv", "weight_scale"), tensor] as const,
  );
  const decoded = await decodeMatrix({ ...matrix, tensors: Object.fromEntries(tensors) });
  expect(sha256(decoded.values)).toBe(matrix.sha256);
});

test("rows of different formats are stacked, each in its own", () => {
  const names = ["q", "k", "v", "o"].map((name) => `layers.0.${name}_proj`);
  const titles = ["mlx-qwen2_5_vl-4bit:", "mlx-qwen3_vl-4bit-g32", "awq", "awq"];
  const matrices = titles.map((title, i) => renamed(matrixOf(title), names[i]!));
  const config = {
    quantization: { bits: 4, group_size: 64, [names[1]!]: { bits: 4, group_size: 32 } },
  };
  const checkpoint = packedCheckpoint([...matrices, { ...matrices[0]!, config, tensors: {} }]);
  const weights = new GpuWeights(countingGpu(), checkpoint);
  const weight = weights.matrix(
    names.map((name) => `${name}.weight`),
    256,
  );
  expect(weight.shape).toEqual([256, 256]);
  const slices = weight.slices.map(({ first, rows, format }) => [first, rows, format.name]);
  expect(slices).toEqual([
    [0, 64, "mlx"],
    [64, 64, "mlx"],
    [128, 128, "int"],
  ]);
  expect(weight.slices.map(({ format }) => format.constants["GROUP"])).toEqual([64, 32, 128]);
});

test("matrices that belong together as a whole are stacked without being joined", () => {
  const names = ["a", "b"];
  for (const title of ["gptq-qwen2_vl-act", "nf4"]) {
    const matrices = names.map((name) => renamed(matrixOf(title), name));
    const weights = new GpuWeights(countingGpu(), packedCheckpoint(matrices));
    const D = matrices[0]!.shape[1];
    const weight = weights.matrix(
      names.map((name) => `${name}.weight`),
      D,
    );
    expect(weight.slices.map(({ first }) => first)).toEqual([0, matrices[0]!.shape[0]]);
    expect(weight.slices.map(({ columns }) => columns?.shape)).toEqual(
      title === "nf4" ? [undefined, undefined] : [[D], [D]],
    );
    const bytes = weights.allocated.map((tensor) => tensor.bytes);
    expect(Math.max(...bytes)).toBeLessThan(1.05 * packedCheckpoint(matrices).weightBytes);
  }
});

test("positions that MLX quantized are numbers to the model", async () => {
  const matrix = matrixOf("mlx-qwen2_5_vl-4bit:");
  const checkpoint = packedCheckpoint([matrix]);
  const gpu = countingGpu();
  const written: ArrayBuffer[] = [];
  Object.assign(gpu.device.queue, {
    onSubmittedWorkDone: async () => {},
    writeBuffer: (_: unknown, offset: number, data: ArrayBuffer, begin: number, size: number) =>
      written.push(data.slice(begin, begin + size)) && expect(offset).toBe(0),
  });
  const weights = new GpuWeights(gpu, checkpoint);
  expect(weights.vector(matrix.name).shape).toEqual(matrix.shape);
  await weights.load(checkpoint);
  expect(written.map((bytes) => sha256(new Float32Array(bytes)))).toEqual([matrix.sha256]);
  const packed = new GpuWeights(gpu, packedCheckpoint([matrixOf("awq")]));
  expect(() => packed.vector(matrixOf("awq").name)).toThrow("is stored in int, expected floats");
});

type Tensors = PackedMatrix["tensors"];

const omit = (tensors: Tensors, names: RegExp): Tensors =>
  Object.fromEntries(Object.entries(tensors).filter(([name]) => !names.test(name)));

/** The tensors of a matrix with other shapes of the same size in bytes, by the ends of their names. */
function withShapes(
  { tensors }: PackedMatrix,
  shapes: Readonly<Record<string, number[]>>,
): Tensors {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => {
      const shape = shapes[name.split(".").at(-1) ?? ""] ?? tensor.shape;
      const size = { I32: 4, F16: 2 }[tensor.dtype] ?? 1;
      const data = Buffer.alloc(size * shape.reduce((a, b) => a * b)).toString("base64");
      return [name, { ...tensor, shape, data }];
    }),
  );
}

/** The tensors of a matrix, some of them as bytes. */
function bytesOf({ tensors }: PackedMatrix, names: RegExp): Tensors {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => {
      const [O = 0, n = 0] = tensor.shape;
      return [name, names.test(name) ? { ...tensor, dtype: "U8", shape: [O, 4 * n] } : tensor];
    }),
  );
}

describe("what does not fit is named", () => {
  test.each<readonly [string, string, (matrix: PackedMatrix) => PackedMatrix, string]>([
    [
      "a width that MLX's bits don't give",
      "mlx-qwen3_vl-8bit",
      (matrix) => ({ ...matrix, config: { quantization: { bits: 4, group_size: 64 } } }),
      "k_proj.weight is U32 [64,64], expected U32 [64,32]",
    ],
    [
      "a mode of MLX",
      "mlx-qwen2_5_vl-4bit:",
      (matrix) => ({ ...matrix, config: { quantization: { mode: "mxfp4", group_size: 32 } } }),
      "MLX's mode mxfp4 with 4 bits in groups of 32 is not supported",
    ],
    [
      "bits of GPTQ",
      "gptq-qwen2_vl:",
      (matrix) => ({ ...matrix, config: { quantization_config: { bits: 3 } } }),
      "GPTQ with 3 bits is not supported, expected 4 or 8",
    ],
    [
      "an order of AWQ's",
      "awq",
      (matrix) => ({
        ...matrix,
        config: { quantization_config: { quant_method: "awq", version: "gemv", bits: 4 } },
        tensors: withShapes(matrix, { qweight: [64, 32], qzeros: [64, 1], scales: [64, 8] }),
      }),
      "config.json says that the weights are quantized (awq, gemv, 4 bits): load the repository",
    ],
    [
      "MLX's MXFP4",
      "mlx-qwen2_5_vl-4bit:",
      (matrix) => ({
        ...matrix,
        config: { quantization: { mode: "mxfp4", bits: 4, group_size: 32 } },
        tensors: omit(matrix.tensors, /biases$/),
      }),
      "(mlx, mxfp4, 4 bits): load the repository that they were made from, or one in MLX",
    ],
    ...["mxfp4-pack-quantized", "nvfp4-pack-quantized"].map(
      (format) =>
        [
          `compressed-tensors' ${format}`,
          "compressed-qwen2_5_vl",
          (matrix: PackedMatrix) => ({
            ...matrix,
            config: { quantization_config: { quant_method: "compressed-tensors", format } },
            tensors: bytesOf(matrix, /_packed$/),
          }),
          `(compressed-tensors, ${format}): load the repository`,
        ] as const,
    ),
    [
      "MXFP4 of experts",
      "mlx-qwen2_5_vl-4bit:",
      (matrix) => ({
        ...matrix,
        config: { quantization_config: { quant_method: "mxfp4" } },
        tensors: Object.fromEntries(
          Object.entries(bytesOf(matrix, /weight$/)).map(([name, tensor]) => [
            name.replace(/weight$/, "weight_blocks"),
            tensor,
          ]),
        ),
      }),
      "(mxfp4): load the repository",
    ],
    [
      "W8A8 of compressed-tensors",
      "fp8-qwen2_5_vl-channel",
      (matrix) => ({
        ...matrix,
        config: {
          quantization_config: { quant_method: "compressed-tensors", format: "int-quantized" },
        },
        tensors: Object.fromEntries(
          Object.entries(matrix.tensors).map(([name, tensor]) => [
            name,
            tensor.dtype === "F8_E4M3" ? { ...tensor, dtype: "I8" } : tensor,
          ]),
        ),
      }),
      "(compressed-tensors, int-quantized): load the repository",
    ],
    [
      "a width of bitsandbytes",
      "nf4",
      (matrix) => ({ ...matrix, shape: [32, 36] }),
      "it has 1024 weights, in rows of 36",
    ],
    [
      "a shape of bitsandbytes",
      "nf4",
      (matrix) => ({ ...matrix, shape: [16, 64] }),
      "shape is 32,32, expected 16,64",
    ],
  ])("%s", async (_, title, change, message) => {
    await expect(decodeMatrix(change(matrixOf(title)))).rejects.toThrow(message);
  });
});
