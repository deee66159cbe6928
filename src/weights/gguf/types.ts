import type { WeightFormat } from "../format.ts";
import { bf16 } from "../formats/bf16.ts";
import { f16 } from "../formats/f16.ts";
import { f32 } from "../formats/f32.ts";
import { ggmlQ40, ggmlQ41, ggmlQ50, ggmlQ51 } from "../formats/ggml-32.ts";
import type { GgmlFormat } from "../formats/ggml-blocks.ts";
import { ggmlQ4K, ggmlQ5K } from "../formats/ggml-k.ts";
import { ggmlQ6K } from "../formats/ggml-q6-k.ts";
import { ggmlQ80 } from "../formats/ggml-q8-0.ts";
import type { ElementFormat } from "../formats/registry.ts";

/** How a tensor's rows are stored. */
export interface GgmlStorage {
  /** In GGUF's spelling. */
  readonly type: string;
  /** Consecutive values of a row that are stored together, and their bytes. */
  readonly values: number;
  readonly bytes: number;
  readonly format: GgmlFormat | ElementFormat;
}

const packed = (format: GgmlFormat): GgmlStorage => ({ ...format.blocks, format });

function elements(
  format: WeightFormat & Pick<ElementFormat, "elements">,
  bytes: number,
): GgmlStorage {
  return { type: format.elements.dtype, values: 1, bytes, format };
}

/** By the type's number in ggml. */
const STORAGE: Readonly<Record<number, GgmlStorage>> = {
  0: elements(f32 as ElementFormat, 4),
  1: elements(f16 as ElementFormat, 2),
  2: packed(ggmlQ40),
  3: packed(ggmlQ41),
  6: packed(ggmlQ50),
  7: packed(ggmlQ51),
  8: packed(ggmlQ80),
  12: packed(ggmlQ4K),
  13: packed(ggmlQ5K),
  14: packed(ggmlQ6K),
  30: elements(bf16 as ElementFormat, 2),
};

/** The names of ggml's other types, for messages. */
const UNSUPPORTED: Readonly<Record<number, string>> = {
  ...{ 9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS" },
  ...{ 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 24: "I8", 25: "I16" },
  ...{ 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4" },
  ...{ 40: "NVFP4" },
};

/**
 * @param name the tensor and its file, for the error
 * @throws Error that names a type that can't be read, and what to take instead
 */
export function ggmlStorage(type: number, name: string): GgmlStorage {
  const storage = STORAGE[type];
  if (storage) return storage;
  const known = Object.values(STORAGE).map((one) => one.type);
  throw new Error(
    `${name} is ${UNSUPPORTED[type] ?? `of ggml's type ${type}`}, supported: ${known.join(", ")}; ` +
      `take a file with Q4_K_M, Q5_K_M, Q6_K or Q8_0 in its name`,
  );
}
