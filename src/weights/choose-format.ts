import { formatFits, type WeightFormat } from "./format.ts";
import { f32 } from "./formats/f32.ts";
import { q4 } from "./formats/q4.ts";
import { q8 } from "./formats/q8.ts";
import { type FormatName, WEIGHT_FORMATS } from "./formats/registry.ts";
import type { WeightRole } from "./weights.ts";

/** Up to this size "auto" keeps a checkpoint as it is stored. */
const LOSSLESS_BYTES = 64 * 2 ** 20;
/** Above this size "auto" takes 4 bits: a model of 4 billion parameters in bf16 then fits in 3 GB. */
const LARGE_BYTES = 3 * 2 ** 30;

/**
 * Chooses the format of a matrix on the GPU: the one that was asked for, where it can hold rows of
 * `D` weights, else its fallback, else the stored one, else f32.
 */
export function chooseFormat({
  quantization,
  stored,
  D,
  checkpointBytes,
  role,
}: {
  readonly quantization: FormatName | "auto";
  /** The format that keeps the matrix as the checkpoint stores it. */
  readonly stored: WeightFormat;
  /** Weights in a row. */
  readonly D: number;
  readonly checkpointBytes: number;
  readonly role: WeightRole;
}): WeightFormat {
  // A packed matrix is kept as it is: packing it anew would add a second error to its first.
  if (!stored.elements) return stored;
  let format: WeightFormat | undefined =
    quantization === "auto"
      ? automatic(stored, checkpointBytes, role)
      : WEIGHT_FORMATS.find(({ name }) => name === quantization);
  while (format && !formatFits(format, D)) format = format.fallback;
  return format ?? (formatFits(stored, D) ? stored : f32);
}

function automatic(stored: WeightFormat, checkpointBytes: number, role: WeightRole): WeightFormat {
  if (checkpointBytes <= LOSSLESS_BYTES) return stored;
  // Rows that are looked up one by one, and logits, suffer most from few bits.
  return checkpointBytes > LARGE_BYTES && role === "layer" ? q4 : q8;
}
