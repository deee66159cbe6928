import type { GgufFamily } from "./family.ts";
import { gemma3Gguf } from "./gemma3.ts";
import { internvlGguf } from "./internvl.ts";
import { lfm2VlGguf } from "./lfm2-vl.ts";
import { qwen25VlGguf, qwen2VlGguf, qwen3VlGguf } from "./qwen-vl.ts";
import { smolvlmGguf } from "./smolvlm.ts";

/** All families that can be read from GGUF files, one entry each. */
export const GGUF_FAMILIES: readonly GgufFamily[] = [
  ...[smolvlmGguf, qwen2VlGguf, qwen25VlGguf, qwen3VlGguf, gemma3Gguf, internvlGguf, lfm2VlGguf],
];
