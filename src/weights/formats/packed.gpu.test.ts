import { describe, expect, test } from "vitest";
import { decodeWeight } from "../../../tests/decode-weight.ts";
import { packedCheckpoint } from "../../../tests/packed-checkpoint.ts";
import { decodeMatrices, PACKED_MATRICES } from "../../../tests/packed.ts";
import { random, runOp, testGpu } from "../../../tests/support.ts";
import { FORMAT_CASES } from "../../../tests/weight-formats.ts";
import { linear } from "../../ops/linear.ts";
import { formatFits } from "../format.ts";
import { GpuWeights } from "../gpu-weights.ts";
import { fp8Format, fp8Reference } from "./fp8.ts";

/** GGUF's are in ggml.gpu.test.ts. */
const packed = FORMAT_CASES.filter(({ format }) => !format.packer && !("blocks" in format));

describe.each(packed)("$title", ({ format, reference }) => {
  test("kernels decode what the reference does, bit for bit", async () => {
    const gpu = await testGpu();
    const [O, D] = [7, formatFits(format, 136) ? 136 : 384];
    const parts = reference.pack(random(O * D, 3), D, format);
    const values = reference.unpack(parts, [O, D], format);
    const { rows, columns } = await decodeWeight(gpu, format, [O, D], parts);
    expect(rows).toEqual(values);
    expect(columns).toEqual(values.map((_, i) => values[(i % O) * D + Math.floor(i / O)]!));
  });
});

test("codes of FP8 that are no numbers give none", async () => {
  const words = Uint32Array.of(0xff7f7e38, 0x38383838);
  const parts = [words, new Uint32Array(Float32Array.of(2).buffer)];
  const format = fp8Format(128);
  const expected = [2, 896, NaN, NaN, 2, 2, 2, 2];
  expect([...fp8Reference.unpack(parts, [1, 8], format)]).toEqual(expected);
  const { rows } = await decodeWeight(await testGpu(), format, [1, 8], parts);
  expect([...rows]).toEqual(expected);
});

test("a stack of matrices in several formats, one of them with columns of its own order", async () => {
  const gpu = await testGpu();
  const D = 256;
  const stacked = ["mlx-qwen2_5_vl-4bit:", "compressed-qwen3_vl", "gptq-qwen2_vl-act"].map(
    (title) => PACKED_MATRICES.find((matrix) => matrix.title.startsWith(title)) ?? expect.fail(),
  );
  const checkpoint = packedCheckpoint(stacked);
  const weights = new GpuWeights(gpu, checkpoint);
  const weight = weights.matrix(
    stacked.map(({ name }) => name),
    D,
  );
  await weights.load(checkpoint);
  expect(weight.slices.map(({ columns }) => columns !== undefined)).toEqual([false, false, true]);
  const units = Float32Array.from({ length: D * D }, (_, i) => Number(i % (D + 1) === 0));
  const columns = await runOp(gpu, (g) => linear(g, gpu.tensor("x", [D, D], "f32", units), weight));
  const named = stacked.map(({ name }) => ({ name, D }));
  const decoded = await decodeMatrices(checkpoint, named);
  const values = decoded.flatMap((matrix) => [...matrix.values]);
  const O = weight.shape[0];
  expect(columns).toEqual(
    Float32Array.from({ length: D * O }, (_, i) => values[(i % O) * D + Math.floor(i / O)]!),
  );
  weights.dispose();
});
