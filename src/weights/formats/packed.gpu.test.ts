import { describe, expect, test } from "vitest";
import { packedCheckpoint } from "../../../tests/packed-checkpoint.ts";
import { decodeMatrices, PACKED_MATRICES } from "../../../tests/packed.ts";
import { random, runOp, testGpu } from "../../../tests/support.ts";
import { FORMAT_CASES } from "../../../tests/weight-formats.ts";
import { embed } from "../../ops/embed.ts";
import { linear } from "../../ops/linear.ts";
import { IDLE_ROW, ROW_WORDS, writeRow } from "../../ops/row.ts";
import { allocateWeight } from "../allocate-weight.ts";
import { formatFits } from "../format.ts";
import { GpuWeights } from "../gpu-weights.ts";
import { WeightWriter } from "../weight-writer.ts";

/** GGUF's are in ggml.gpu.test.ts. */
const packed = FORMAT_CASES.filter(({ format }) => !format.packer && !("blocks" in format));

/**
 * Rows that are looked up are those of `weight4`. Products with unit vectors are exact, so they are the
 * columns that `weight8` reads.
 */
describe.each(packed)("$title", ({ format, reference }) => {
  test("kernels decode what the reference does, bit for bit", async () => {
    const gpu = await testGpu();
    const [O, D] = [7, formatFits(format, 136) ? 136 : 384];
    const parts = reference.pack(random(O * D, 3), D, format);
    const values = reference.unpack(parts, [O, D], format);
    const weight = allocateWeight(gpu, "w", [O, D], format);
    const writer = new WeightWriter(gpu);
    for (const [part, words] of parts.entries()) {
      await writer.copy(weight, part, 0, new Uint8Array(words.buffer));
    }
    const rows = new Uint32Array(O * ROW_WORDS);
    for (let token = 0; token < O; token++) writeRow(rows, token, { ...IDLE_ROW, token });
    const tokens = gpu.tensor("rows", [O, ROW_WORDS], "u32", rows);
    expect(await runOp(gpu, (g) => embed(g, tokens, weight))).toEqual(values);

    const units = Float32Array.from({ length: D * D }, (_, i) => Number(i % (D + 1) === 0));
    const x = gpu.tensor("x", [D, D], "f32", units);
    const columns = await runOp(gpu, (g) => linear(g, x, weight));
    expect(columns).toEqual(values.map((_, i) => values[(i % O) * D + Math.floor(i / O)]!));
  });
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
