import { COMMON_FAMILIES } from "../models/common-families.ts";
import { type CreateModel, createModelOf, findFamily } from "../models/registered-family.ts";
import { exposeModel } from "./expose-model.ts";
import { FullWorkerNeeded } from "./full-worker-needed.ts";
import { modelLoader } from "./model-loader.ts";

const refuse = async (): Promise<never> => {
  throw new FullWorkerNeeded();
};

const createModel: CreateModel = (files, options) => {
  const family = findFamily(COMMON_FAMILIES, files);
  if (!family) throw new FullWorkerNeeded();
  return createModelOf(family, files, options);
};

/**
 * The script of the model's worker. What few pages need is in the other worker: packed formats, GGUF
 * files, rare families, and plans without a model.
 */
exposeModel({
  load: modelLoader({ packedFormats: refuse, gguf: refuse, createModel }),
  plan: refuse,
});
