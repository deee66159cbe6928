import { gemma3 } from "./gemma3.ts";
import { internvl } from "./internvl.ts";
import { lfm2Vl } from "./lfm2-vl.ts";
import { llavaOnevision } from "./llava-onevision.ts";
import { llava } from "./llava.ts";
import { mllama } from "./mllama.ts";
import type { CheckpointFiles, Family, Model, ModelOptions } from "./model.ts";
import { paligemma } from "./paligemma.ts";
import { qwen25Vl } from "./qwen2-5-vl.ts";
import { qwen2Vl } from "./qwen2-vl.ts";
import { qwen3Vl } from "./qwen3-vl.ts";
import { smolvlm } from "./smolvlm.ts";

/** `model_type` of config.json, and the family that runs it. */
const FAMILIES: Readonly<Record<string, Family>> = {
  smolvlm,
  idefics3: smolvlm,
  qwen2_vl: qwen2Vl,
  qwen2_5_vl: qwen25Vl,
  qwen3_vl: qwen3Vl,
  llava_onevision: llavaOnevision,
  llava,
  internvl,
  mllama,
  lfm2_vl: lfm2Vl,
  "lfm2-vl": lfm2Vl, // the first checkpoints
  gemma3,
  paligemma,
};

/** Throws Error naming what is supported when the checkpoint is of another family. */
export function createModel(files: CheckpointFiles, options?: ModelOptions): Model {
  const { model_type } = (files["config.json"] ?? {}) as { model_type?: unknown };
  const family = typeof model_type === "string" ? FAMILIES[model_type] : undefined;
  if (family) return family(files, options);
  const known = Object.keys(FAMILIES).join(", ");
  throw new Error(`config.json: model_type is ${JSON.stringify(model_type)}, supported: ${known}`);
}
