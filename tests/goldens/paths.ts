/** What the repository keeps: small files, from the root of the repository. */
export const GOLDENS = "e2e/goldens";

/** Family folders as whole checkpoints, which `unpack.ts` makes before the tests run. */
export const UNPACKED = ".cache/goldens";

/** Folders of `GOLDENS/gguf`. Those of the first two have all weights, the others small tensors only. */
export const GGUF_GOLDENS = ["smolvlm", "qwen2_5_vl-every", "qwen3_vl", "gemma3"] as const;
