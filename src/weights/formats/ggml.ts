import { ggmlQ40, ggmlQ41, ggmlQ50, ggmlQ51 } from "./ggml-32.ts";
import type { GgmlFormat } from "./ggml-blocks.ts";
import { ggmlQ4K, ggmlQ5K } from "./ggml-k.ts";
import { ggmlQ6K } from "./ggml-q6-k.ts";
import { ggmlQ80 } from "./ggml-q8-0.ts";

/** The formats in which the matrices of GGUF files stay packed. */
export const GGML_FORMATS: readonly GgmlFormat[] = [
  ...[ggmlQ80, ggmlQ6K, ggmlQ5K, ggmlQ51, ggmlQ50, ggmlQ4K, ggmlQ41, ggmlQ40],
];
