import { qwen25Vl } from "./qwen2-5-vl.ts";
import { qwen2Vl } from "./qwen2-vl.ts";
import { qwen3Vl } from "./qwen3-vl.ts";
import type { RegisteredFamily } from "./registered-family.ts";
import { smolvlm } from "./smolvlm.ts";

/** The families in the first worker's script: those that browsers load most. One line each. */
export const COMMON_FAMILIES: readonly RegisteredFamily[] = [
  { name: "SmolVLM", modelTypes: ["smolvlm", "idefics3"], create: smolvlm },
  { name: "Qwen2-VL", modelTypes: ["qwen2_vl"], create: qwen2Vl },
  { name: "Qwen2.5-VL", modelTypes: ["qwen2_5_vl"], create: qwen25Vl },
  { name: "Qwen3-VL", modelTypes: ["qwen3_vl"], create: qwen3Vl },
];
