import type { Gpu } from "../src/gpu/device.ts";
import { embed } from "../src/ops/embed.ts";
import { linear } from "../src/ops/linear.ts";
import { IDLE_ROW, ROW_WORDS, writeRow } from "../src/ops/row.ts";
import { allocateWeight } from "../src/weights/allocate-weight.ts";
import type { WeightFormat } from "../src/weights/format.ts";
import { WeightWriter } from "../src/weights/weight-writer.ts";
import { runOp } from "./support.ts";

/**
 * Decodes a matrix `[O, D]` on the GPU in the two ways that kernels do. Rows that are looked up are those
 * of `weight4`. Products with unit vectors are exact, so they are the columns that `weight8` reads.
 *
 * @param parts the words of each part
 * @returns rows `[O, D]`, and columns `[D, O]`
 */
export async function decodeWeight(
  gpu: Gpu,
  format: WeightFormat,
  [O, D]: readonly [O: number, D: number],
  parts: readonly Uint32Array[],
): Promise<{ rows: Float32Array; columns: Float32Array }> {
  const weight = allocateWeight(gpu, "w", [O, D], format);
  const writer = new WeightWriter(gpu);
  for (const [part, words] of parts.entries()) {
    await writer.copy(weight, part, 0, new Uint8Array(words.buffer));
  }
  const words = new Uint32Array(O * ROW_WORDS);
  for (let token = 0; token < O; token++) writeRow(words, token, { ...IDLE_ROW, token });
  const tokens = gpu.tensor("rows", [O, ROW_WORDS], "u32", words);
  const rows = await runOp(gpu, (g) => embed(g, tokens, weight));
  const units = Float32Array.from({ length: D * D }, (_, i) => Number(i % (D + 1) === 0));
  const x = gpu.tensor("x", [D, D], "f32", units);
  const columns = await runOp(gpu, (g) => linear(g, x, weight));
  return { rows, columns };
}
