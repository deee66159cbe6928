import { ggufReader } from "../models/gguf/reader.ts";
import { browserPlatform } from "../platform/browser.ts";
import { openSource } from "../runtime/open-source.ts";
import { planCheckpoint } from "../runtime/plan-checkpoint.ts";
import { PACKED_FORMATS } from "../weights/formats/packed.ts";
import { exposeModel } from "./expose-model.ts";
import { modelLoader } from "./model-loader.ts";

const packed = { packedFormats: async () => PACKED_FORMATS, gguf: async () => ggufReader };

/**
 * The script of a worker for quantized checkpoints, GGUF files and plans. A page fetches it when it
 * is needed.
 */
exposeModel({
  load: modelLoader(packed),
  async plan(source, options) {
    return planCheckpoint(await openSource(source, options, browserPlatform, packed), options);
  },
});
