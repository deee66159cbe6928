import type { WeightFormat } from "../gpu/weight.ts";
import { formatFits } from "./format.ts";
import type { WeightRole } from "./weights.ts";
import type { SourceType } from "./write.ts";

/** A format for all matrices, or "auto": by the checkpoint's size. */
export type Quantization = "auto" | WeightFormat;

/** Up to here "auto" keeps a checkpoint as it is stored. */
const LOSSLESS_BYTES = 64 * 2 ** 20;
/** Beyond here "auto" takes 4 bits, which makes a 4B model of bf16 fit in 3 GB. */
const LARGE_BYTES = 3 * 2 ** 30;

const STORED: Readonly<Record<SourceType, WeightFormat>> = { F32: "f32", F16: "f16", BF16: "bf16" };

/**
 * Chooses how a matrix is stored on the GPU: as asked where rows of `D` weights can be, else the
 * next wider format.
 *
 * "f16" has no values beyond 65504: the published bf16 checkpoints have no such weights.
 */
export function chooseFormat({
  quantization,
  dtype,
  D,
  checkpointBytes,
  role,
}: {
  readonly quantization: Quantization;
  /** Of the matrix in the checkpoint. */
  readonly dtype: SourceType;
  /** Weights in a row. */
  readonly D: number;
  readonly checkpointBytes: number;
  readonly role: WeightRole;
}): WeightFormat {
  const asked =
    quantization === "auto" ? automatic(STORED[dtype], checkpointBytes, role) : quantization;
  const wider: WeightFormat[] = asked === "q4" ? ["q4", "q8"] : [asked];
  return [...wider, STORED[dtype]].find((format) => formatFits(format, D)) ?? "f32";
}

function automatic(stored: WeightFormat, checkpointBytes: number, role: WeightRole): WeightFormat {
  if (checkpointBytes <= LOSSLESS_BYTES) return stored;
  // Rows that are looked up one by one, and logits, suffer most from few bits.
  return checkpointBytes > LARGE_BYTES && role === "layer" ? "q4" : "q8";
}
