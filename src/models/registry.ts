import { COMMON_FAMILIES } from "./common-families.ts";
import { gemma3 } from "./gemma3.ts";
import { internvl } from "./internvl.ts";
import { lfm2Vl } from "./lfm2-vl.ts";
import { llavaOnevision } from "./llava-onevision.ts";
import { llava } from "./llava.ts";
import { mllama } from "./mllama.ts";
import type { CheckpointFiles } from "./model.ts";
import { paligemma } from "./paligemma.ts";
import {
  type CreateModel,
  type RegisteredFamily,
  createModelOf,
  findFamily,
} from "./registered-family.ts";

/** All model families: the common ones, and one line for each that only the full worker has. */
export const FAMILIES: readonly RegisteredFamily[] = [
  ...COMMON_FAMILIES,
  { name: "Gemma 3", modelTypes: ["gemma3"], create: gemma3 },
  { name: "InternVL3", modelTypes: ["internvl"], create: internvl },
  // The first checkpoints of LFM2-VL have the second name.
  { name: "LFM2-VL", modelTypes: ["lfm2_vl", "lfm2-vl"], create: lfm2Vl },
  { name: "LLaVA-OneVision", modelTypes: ["llava_onevision"], create: llavaOnevision },
  { name: "LLaVA-1.5", modelTypes: ["llava"], create: llava },
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
  const family = findFamily(FAMILIES, files);
  if (family) return family;
  const { model_type } = (files["config.json"] ?? {}) as { model_type?: unknown };
  const known = FAMILIES.flatMap(({ modelTypes }) => modelTypes).join(", ");
  const advice = ADVICE[String(model_type)];
  throw new Error(
    `config.json: model_type is ${JSON.stringify(model_type)}, supported: ${known}` +
      (advice ? `; ${advice}` : ""),
  );
}

export const createModel: CreateModel = (files, options) =>
  createModelOf(familyOf(files), files, options);
