import type { FormatReference } from "../src/weights/format.ts";
import {
  ggmlQ40,
  ggmlQ40Reference,
  ggmlQ41,
  ggmlQ41Reference,
  ggmlQ50,
  ggmlQ50Reference,
  ggmlQ51,
  ggmlQ51Reference,
} from "../src/weights/formats/ggml-32.ts";
import type { GgmlFormat } from "../src/weights/formats/ggml-blocks.ts";
import {
  ggmlQ4K,
  ggmlQ4KReference,
  ggmlQ5K,
  ggmlQ5KReference,
} from "../src/weights/formats/ggml-k.ts";
import { ggmlQ6K, ggmlQ6KReference } from "../src/weights/formats/ggml-q6-k.ts";
import { ggmlQ80, ggmlQ80Reference } from "../src/weights/formats/ggml-q8-0.ts";

const formatCase = (format: GgmlFormat, reference: FormatReference, error: number) => {
  return { title: format.name, format, reference, error };
};

/** GGUF's formats. `error` is half a step of weights in [-1, 1), and what rounded scales add. */
export const GGML_CASES = [
  // The symmetric ones have one code more below zero than above.
  formatCase(ggmlQ40, ggmlQ40Reference, 1 / 8 + 1e-3),
  formatCase(ggmlQ41, ggmlQ41Reference, 1 / 15 + 2e-3),
  formatCase(ggmlQ50, ggmlQ50Reference, 1 / 16 + 1e-3),
  formatCase(ggmlQ51, ggmlQ51Reference, 1 / 31 + 2e-3),
  formatCase(ggmlQ80, ggmlQ80Reference, 1 / 254 + 5e-4),
  formatCase(ggmlQ4K, ggmlQ4KReference, 1 / 15 + 1e-2),
  formatCase(ggmlQ5K, ggmlQ5KReference, 1 / 31 + 1e-2),
  formatCase(ggmlQ6K, ggmlQ6KReference, 1 / 62 + 1e-3),
] as const;
