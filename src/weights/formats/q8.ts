import type { QuantizationFormat } from "../format.ts";
import { affineFormat } from "./affine.ts";

/** Eight-bit codes in groups of 64 weights: eight and a half bits per weight. */
export const q8: QuantizationFormat<"q8"> = affineFormat(8, 64, {
  name: "q8",
  summary: "about a quarter, nearly as good",
  version: 2,
  rowMultiple: 4,
});
