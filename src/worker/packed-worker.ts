import { ggufReader } from "../models/gguf/reader.ts";
import { PACKED_FORMATS } from "../weights/formats/packed.ts";
import { exposeModel } from "./expose-model.ts";
import { modelLoader } from "./model-loader.ts";

/**
 * The script of a worker for quantized checkpoints and GGUF files. A page fetches it for such a
 * checkpoint alone.
 */
exposeModel(
  modelLoader({ packedFormats: async () => PACKED_FORMATS, gguf: async () => ggufReader }),
);
