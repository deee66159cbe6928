import type { QuantizationFormat } from "../format.ts";
import { affineFormat } from "./affine.ts";
import { q6 } from "./q6.ts";

/** Four-bit codes in groups of 32 weights: five bits per weight. */
export const q4: QuantizationFormat<"q4"> = affineFormat(4, 32, {
  name: "q4",
  summary: "less than a sixth, least memory",
  version: 2,
  // Kernels read eight weights, one word, at a time.
  rowMultiple: 8,
  fallback: q6,
});
