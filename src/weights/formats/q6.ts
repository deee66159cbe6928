import type { QuantizationFormat } from "../format.ts";
import { affineFormat } from "./affine.ts";

/** Six-bit codes in groups of 64 weights: six and a half bits per weight. */
export const q6: QuantizationFormat<"q6"> = affineFormat(6, 64, {
  name: "q6",
  summary: "a fifth, a small loss",
  version: 1,
  rowMultiple: 4,
});
