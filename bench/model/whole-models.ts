import { gemma3of4b } from "./gemma-shapes.ts";
import { lfm2Vl } from "./lfm2-shapes.ts";
import { internvl3of1b, llava15of7b, llavaOnevision05b } from "./llava-shapes.ts";
import { llama32of11b } from "./mllama-shapes.ts";
import { qwen25Vl3b } from "./qwen-shapes.ts";
import { type CheckpointShape, smolvlm256m, smolvlm500m } from "./shapes.ts";

/** Published models with all of their layers, by their repositories on the hub. */
export const WHOLE_MODELS: Readonly<Record<string, () => CheckpointShape>> = {
  "HuggingFaceTB/SmolVLM2-256M-Video-Instruct": () => smolvlm256m,
  "LiquidAI/LFM2-VL-450M": () => lfm2Vl("450M", 16, 12),
  "HuggingFaceTB/SmolVLM2-500M-Video-Instruct": () => smolvlm500m,
  "llava-hf/llava-onevision-qwen2-0.5b-ov-hf": () => llavaOnevision05b(24, 26),
  "OpenGVLab/InternVL3-1B-hf": () => internvl3of1b(24, 24),
  "LiquidAI/LFM2-VL-1.6B": () => lfm2Vl("1.6B", 16, 26),
  "Qwen/Qwen2.5-VL-3B-Instruct": () => qwen25Vl3b(36, 32),
  "google/gemma-3-4b-it": () => gemma3of4b(34, 27),
  "llava-hf/llava-1.5-7b-hf": () => llava15of7b(32, 24),
  "meta-llama/Llama-3.2-11B-Vision-Instruct": () =>
    llama32of11b({ text: 40, cross: [3, 8, 13, 18, 23, 28, 33, 38], local: 32, global: 8 }),
};
