import type { CheckpointShape } from "./checkpoint-shape.ts";
import { gemma3of4b } from "./gemma.ts";
import { lfm2Vl } from "./lfm2.ts";
import { internvl3of1b, llava15of7b, llavaOnevision05b } from "./llava.ts";
import { llama32of11b } from "./mllama.ts";
import { qwen25Vl3b } from "./qwen.ts";
import { smolvlm256m, smolvlm500m } from "./smolvlm.ts";

/** Published models with all of their layers, by their repositories on the hub. */
export const WHOLE_MODELS: Readonly<Record<string, () => CheckpointShape>> = {
  "HuggingFaceTB/SmolVLM2-256M-Video-Instruct": () => smolvlm256m({ layers: 30, towerLayers: 12 }),
  "LiquidAI/LFM2-VL-450M": () => lfm2Vl("450M", { layers: 16, towerLayers: 12 }),
  "HuggingFaceTB/SmolVLM2-500M-Video-Instruct": () => smolvlm500m({ layers: 32, towerLayers: 12 }),
  "llava-hf/llava-onevision-qwen2-0.5b-ov-hf": () =>
    llavaOnevision05b({ layers: 24, towerLayers: 26 }),
  "OpenGVLab/InternVL3-1B-hf": () => internvl3of1b({ layers: 24, towerLayers: 24 }),
  "LiquidAI/LFM2-VL-1.6B": () => lfm2Vl("1.6B", { layers: 16, towerLayers: 26 }),
  "Qwen/Qwen2.5-VL-3B-Instruct": () => qwen25Vl3b({ layers: 36, towerLayers: 32 }),
  "google/gemma-3-4b-it": () => gemma3of4b({ layers: 34, towerLayers: 27 }),
  "llava-hf/llava-1.5-7b-hf": () => llava15of7b({ layers: 32, towerLayers: 24 }),
  "meta-llama/Llama-3.2-11B-Vision-Instruct": () =>
    llama32of11b({
      layers: 40,
      towerLayers: 32,
      globalLayers: 8,
      cross: [3, 8, 13, 18, 23, 28, 33, 38],
    }),
};
