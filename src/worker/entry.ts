import { exposeModel } from "./expose-model.ts";
import { modelLoader } from "./model-loader.ts";
import { PackedWorkerNeeded } from "./packed-worker-needed.ts";

const refuse = async (): Promise<never> => {
  throw new PackedWorkerNeeded();
};

/** The script of the model's worker. It knows no packed formats, which few models need. */
exposeModel(modelLoader({ packedFormats: refuse, gguf: refuse }));
