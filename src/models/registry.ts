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
import { checkUnread } from "./unread-fields.ts";

/** A model family that runs here. */
export interface RegisteredFamily {
  /** The name that the documentation uses. */
  readonly name: string;
  /** The values of `model_type` in config.json. */
  readonly modelTypes: readonly string[];
  readonly create: Family;
}

/** All model families, one line each. */
export const FAMILIES: readonly RegisteredFamily[] = [
  { name: "SmolVLM", modelTypes: ["smolvlm", "idefics3"], create: smolvlm },
  { name: "Qwen2-VL", modelTypes: ["qwen2_vl"], create: qwen2Vl },
  { name: "Qwen2.5-VL", modelTypes: ["qwen2_5_vl"], create: qwen25Vl },
  { name: "Qwen3-VL", modelTypes: ["qwen3_vl"], create: qwen3Vl },
  { name: "LLaVA-OneVision", modelTypes: ["llava_onevision"], create: llavaOnevision },
  { name: "LLaVA-1.5", modelTypes: ["llava"], create: llava },
  { name: "InternVL3", modelTypes: ["internvl"], create: internvl },
  // The first checkpoints of LFM2-VL have the second name.
  { name: "LFM2-VL", modelTypes: ["lfm2_vl", "lfm2-vl"], create: lfm2Vl },
  { name: "Gemma 3", modelTypes: ["gemma3"], create: gemma3 },
  { name: "PaliGemma", modelTypes: ["paligemma"], create: paligemma },
  { name: "Llama 3.2 Vision", modelTypes: ["mllama"], create: mllama },
];

/** What to do about a `model_type` of the same models in a layout that transformers does not read. */
const ADVICE: Readonly<Record<string, string>> = {
  internvl_chat: 'load the repository whose name ends in "-hf"',
};

/**
 * The family of a checkpoint.
 *
 * @throws Error naming the supported values of `model_type` when config.json has another one
 */
export function familyOf(files: CheckpointFiles): RegisteredFamily {
  const { model_type } = (files["config.json"] ?? {}) as { model_type?: unknown };
  const family = FAMILIES.find(({ modelTypes }) => modelTypes.some((type) => type === model_type));
  if (family) return family;
  const known = FAMILIES.flatMap(({ modelTypes }) => modelTypes).join(", ");
  const advice = ADVICE[String(model_type)];
  throw new Error(
    `config.json: model_type is ${JSON.stringify(model_type)}, supported: ${known}` +
      (advice ? `; ${advice}` : ""),
  );
}

/**
 * Creates the model of a checkpoint from its JSON files.
 *
 * @throws Error naming the file and the field that is wrong or not supported
 */
export function createModel(files: CheckpointFiles, options?: ModelOptions): Model {
  const { create } = familyOf(files);
  checkUnread(files);
  return create(files, options);
}
