import type { GgufReader } from "../../weights/checkpoint.ts";
import { readGgufHeaders } from "../../weights/gguf/read-headers.ts";
import { matrixFinder } from "../../weights/gguf/tensors.ts";
import { readGguf } from "./read.ts";

/** The reader of GGUF files, for the option `gguf` of a checkpoint. */
export const ggufReader: GgufReader = {
  readHeaders: readGgufHeaders,
  parse(id, headers) {
    const { matrices, ...model } = readGguf(id, headers);
    return { ...model, formats: [matrixFinder(matrices)] };
  },
};
