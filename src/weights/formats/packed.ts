import type { WeightFormat } from "../format.ts";
import { awq } from "./awq.ts";
import { compressedTensors } from "./compressed-tensors.ts";
import { fp8 } from "./fp8.ts";
import { gptq } from "./gptq.ts";
import { mlx } from "./mlx.ts";
import { nf4 } from "./nf4.ts";
import { webvlm } from "./webvlm.ts";

/**
 * The formats that quantized checkpoints are stored in. They are loaded for such checkpoints alone, so
 * nothing else imports their modules.
 */
export const PACKED_FORMATS: readonly WeightFormat[] = [
  mlx,
  compressedTensors,
  fp8,
  awq,
  gptq,
  nf4,
  webvlm,
];
