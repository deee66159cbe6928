import type { CheckpointFiles, Family, Model } from "./model.ts";
import { smolvlm } from "./smolvlm.ts";

/** `model_type` of config.json, and the family that runs it. */
const FAMILIES: Readonly<Record<string, Family>> = {
  smolvlm,
  idefics3: smolvlm,
};

/** Throws Error naming what is supported when the checkpoint is of another family. */
export function createModel(files: CheckpointFiles): Model {
  const { model_type } = (files["config.json"] ?? {}) as { model_type?: unknown };
  const family = typeof model_type === "string" ? FAMILIES[model_type] : undefined;
  if (family) return family(files);
  const known = Object.keys(FAMILIES).join(", ");
  throw new Error(`config.json: model_type is ${JSON.stringify(model_type)}, supported: ${known}`);
}
