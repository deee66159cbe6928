/** What the repository keeps: small files, from the root of the repository. */
export const GOLDENS = "e2e/goldens";

/** Family folders as whole checkpoints, which `unpack.ts` makes before the tests run. */
export const UNPACKED = ".cache/goldens";

/** Folders of `GOLDENS/gguf`. Those of the first two have all weights, the others small tensors only. */
const PACKED_GGUF = ["smolvlm", "qwen2_5_vl-every", "qwen3_vl", "gemma3"] as const;

/** Family folders that llama.cpp has converted to `GOLDENS/gguf`. Their weights are those of the family folder. */
export const CONVERTED_GGUF = ["internvl", "lfm2_vl"] as const;

export const GGUF_GOLDENS = [...PACKED_GGUF, ...CONVERTED_GGUF] as const;
