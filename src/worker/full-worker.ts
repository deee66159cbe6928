import { ggufReader } from "../models/gguf/reader.ts";
import { createModel } from "../models/registry.ts";
import { browserPlatform } from "../platform/browser.ts";
import { openSource } from "../runtime/open-source.ts";
import { planCheckpoint } from "../runtime/plan-checkpoint.ts";
import { PACKED_FORMATS } from "../weights/formats/packed.ts";
import { exposeModel } from "./expose-model.ts";
import { modelLoader } from "./model-loader.ts";

const packed = { packedFormats: async () => PACKED_FORMATS, gguf: async () => ggufReader };

/**
 * The script of a worker for everything: quantized checkpoints, GGUF files, rare families and plans too.
 * A page fetches it when its first worker asks for it.
 */
exposeModel({
  load: modelLoader({ ...packed, createModel }),
  async plan(source, options) {
    const checkpoint = await openSource(source, options, browserPlatform, packed);
    return planCheckpoint(createModel, checkpoint, options);
  },
});
