import { expect, test } from "vitest";
import { GGML_CASES } from "../../../tests/ggml-formats.ts";
import { random, runOp, testGpu } from "../../../tests/support.ts";
import { embed } from "../../ops/embed.ts";
import { linear } from "../../ops/linear.ts";
import { IDLE_ROW, ROW_WORDS, writeRow } from "../../ops/row.ts";
import { allocateWeight } from "../allocate-weight.ts";
import { formatFits } from "../format.ts";
import { WeightWriter } from "../weight-writer.ts";

/**
 * Rows that are looked up are those of `weight4`. Products with unit vectors are exact, so they are the
 * columns that `weight8` reads. Rows get smaller by a factor of 10, so that scales are subnormal, too.
 */
test.each(GGML_CASES)("kernels decode $title as the reference does", async (c) => {
  const { format, reference } = c;
  const gpu = await testGpu();
  // An odd number of blocks where that is a multiple of 8.
  const [O, D] = [5, formatFits(format, 96) ? 96 : 768];
  const source = random(O * D, 3).map((value, i) => value / 10 ** Math.floor(i / D));
  const parts = reference.pack(source, D, format);
  // No -0, which sums of products don't keep.
  const values = reference.unpack(parts, [O, D], format).map((value) => value + 0);
  const weight = allocateWeight(gpu, "w", [O, D], format);
  const writer = new WeightWriter(gpu);
  for (const [part, words] of parts.entries()) {
    await writer.copy(weight, part, 0, new Uint8Array(words.buffer));
  }
  const rows = new Uint32Array(O * ROW_WORDS);
  for (let token = 0; token < O; token++) writeRow(rows, token, { ...IDLE_ROW, token });
  const tokens = gpu.tensor("rows", [O, ROW_WORDS], "u32", rows);
  const looked = await runOp(gpu, (g) => embed(g, tokens, weight));
  expect(looked.map((value) => value + 0)).toEqual(values);

  const units = Float32Array.from({ length: D * D }, (_, i) => Number(i % (D + 1) === 0));
  const x = gpu.tensor("x", [D, D], "f32", units);
  const columns = await runOp(gpu, (g) => linear(g, x, weight));
  expect(columns.map((value) => value + 0)).toEqual(
    values.map((_, i) => values[(i % O) * D + Math.floor(i / O)]!),
  );
});
