import { Engine } from "../engine/engine.ts";
import type { PreparedImage } from "../engine/generation.ts";
import type { Gpu } from "../gpu/device.ts";
import { preparePatches } from "../image/preprocess.ts";
import type { Model } from "../models/model.ts";
import type { CreateModel } from "../models/registered-family.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import type { Quantization } from "../weights/choose-format.ts";
import { GpuWeights } from "../weights/gpu-weights.ts";
import type { RuntimeOptions } from "./options.ts";

/** Default limit of one image: half of the smallest default context. */
const MAX_IMAGE_TOKENS = 2048;

/** The parts of a model on one device. */
export interface AssembledModel {
  readonly model: Model;
  readonly weights: GpuWeights;
  readonly engine: Engine;
}

/**
 * Joins a checkpoint's model, weights and engine on a device. Caches and buffers are allocated here;
 * the weights are allocated by `engine.prepare()` and filled by `weights.load()`.
 *
 * @throws Error when the checkpoint's model isn't supported, OutOfMemoryError when a buffer is
 *   larger than the device allows
 */
export function assemble(
  createModel: CreateModel,
  gpu: Gpu,
  checkpoint: Checkpoint,
  options: RuntimeOptions,
  quantization: Quantization | "auto" | undefined = options.quantization,
): AssembledModel {
  const { maxImageTokens = MAX_IMAGE_TOKENS } = options;
  const model = createModel(checkpoint.files, { maxImageTokens });
  const weights = new GpuWeights(gpu, checkpoint, { quantization, storedNames: model.storedNames });
  const preprocess = async (image: PreparedImage) => {
    try {
      return await preparePatches(gpu, image, model.processor);
    } finally {
      closeBitmap(image);
    }
  };
  const engine = new Engine(gpu, model, weights, preprocess, {
    ...options,
    onCachedImage: closeBitmap,
  });
  return { model, weights, engine };
}

/** Frees the decoded pixels at once. The garbage collector would take its time. */
function closeBitmap({ reused, decoded: { source } }: PreparedImage): void {
  if (!reused && "close" in source) source.close();
}
