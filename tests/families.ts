/** Folders of `e2e/goldens`, one for each kind of model. */
export const FAMILIES = [
  "smolvlm",
  "qwen2_vl",
  "qwen2_5_vl",
  "qwen3_vl",
  "llava_onevision",
  "llava",
  "internvl",
  "lfm2_vl",
  "gemma3",
  "paligemma",
  "paligemma2",
  "mllama",
];
