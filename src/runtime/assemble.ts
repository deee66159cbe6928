import { Engine } from "../engine/engine.ts";
import type { PreparedImage } from "../engine/generation.ts";
import type { Gpu } from "../gpu/device.ts";
import { preparePatches } from "../image/preprocess.ts";
import type { Model } from "../models/model.ts";
import type { CreateModel } from "../models/registered-family.ts";
import type { DecodedImage } from "../platform/platform.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import type { Quantization } from "../weights/choose-format.ts";
import { GpuWeights } from "../weights/gpu-weights.ts";
import type { RuntimeOptions } from "./options.ts";

/** Default limit of one image: half of the smallest default context. */
const MAX_IMAGE_TOKENS = 2048;

/** Images whose pixels were freed. A request that goes on on another device brings its images along. */
const closed = new WeakSet<DecodedImage>();

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
  // Frees the decoded pixels at once. The garbage collector would take its time.
  const close = (decoded: DecodedImage): void => {
    if (!("close" in decoded.source)) return;
    decoded.source.close();
    closed.add(decoded);
  };
  const preprocess = async (image: PreparedImage) => {
    // Another choice, or the same request before it was preempted, may have used the pixels.
    const isClosed = closed.has(image.decoded);
    const decoded = (isClosed && (await image.decodeAgain?.())) || image.decoded;
    try {
      return await preparePatches(gpu, { ...image, decoded }, model.processor);
    } finally {
      close(decoded);
    }
  };
  const engine = new Engine(gpu, model, weights, preprocess, {
    ...options,
    onCachedImage: ({ decoded }) => close(decoded),
  });
  return { model, weights, engine };
}
