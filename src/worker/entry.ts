import { browserPlatform } from "../platform/browser.ts";
import { loadCheckpoint } from "../runtime/load-checkpoint.ts";
import { openSource } from "../runtime/open-source.ts";
import { planCheckpoint } from "../runtime/plan-checkpoint.ts";
import { PACKED_FORMATS } from "../weights/formats/packed.ts";
import { exposeModel } from "./expose-model.ts";

const packedFormats = async () => PACKED_FORMATS;

/** The script of the model's worker. */
exposeModel({
  load(source, options, compileGrammar, onProgress, signal) {
    const opening = { onProgress, signal, packedFormats };
    const open = () => openSource(source, options, browserPlatform, opening);
    const all = { ...options, compileGrammar };
    return loadCheckpoint(open, all, browserPlatform, onProgress, signal);
  },
  async plan(source, options) {
    const checkpoint = await openSource(source, options, browserPlatform, { packedFormats });
    return planCheckpoint(checkpoint, options);
  },
});
