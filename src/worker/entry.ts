import { exposeModel } from "./expose-model.ts";
import { modelLoader } from "./model-loader.ts";
import { PackedWorkerNeeded } from "./packed-worker-needed.ts";

const refuse = async (): Promise<never> => {
  throw new PackedWorkerNeeded();
};

/**
 * The script of the model's worker. What few pages need is in the other worker: packed formats, GGUF
 * files, and plans without a model.
 */
exposeModel({ load: modelLoader({ packedFormats: refuse, gguf: refuse }), plan: refuse });
