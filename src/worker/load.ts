import { chatModel } from "../chat/model.ts";
import { Engine } from "../engine/engine.ts";
import type { PreparedImage } from "../engine/generation.ts";
import { type Gpu, OutOfMemoryError, openGpu } from "../gpu/device.ts";
import { preparePatches } from "../image/preprocess.ts";
import type { Model } from "../models/model.ts";
import { createModel } from "../models/registry.ts";
import { createHandler } from "../openai/handler.ts";
import type { Platform } from "../platform/platform.ts";
import { STORE } from "../weights/cache.ts";
import { type Checkpoint, openCheckpoint } from "../weights/checkpoint.ts";
import { GpuWeights } from "../weights/gpu-weights.ts";
import type { OnProgress } from "../weights/progress.ts";
import { resolveSource } from "../weights/source.ts";
import type { ServeOptions, Server } from "./api.ts";

/** What one image may take unless the caller says otherwise: about half of a small context. */
const IMAGE_TOKENS = 2048;

/**
 * Loads a model by its name or address, and answers requests with it.
 *
 * @throws as `serveCheckpoint` and `openCheckpoint` do
 */
export function serveModel(
  source: string,
  options: ServeOptions,
  platform: Platform,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<Server> {
  const { base, hub, token, cache } = options;
  const open = () =>
    openCheckpoint(resolveSource(source, { base, hub }), {
      store: platform.openStore(STORE),
      cache,
      token,
      signal,
      onProgress,
    });
  return serveCheckpoint(open, options, platform, onProgress, signal);
}

/** How a checkpoint is run. */
export type ModelOptions = Pick<ServeOptions, "quantization" | "contextLength" | "maxImageTokens">;

/** ... and how the images of its requests are read. */
export interface CheckpointOptions extends ModelOptions {
  /** What relative URLs of images are resolved against; without it there are none. */
  readonly base?: string | undefined;
  /** How images are fetched; by default as everything else is. */
  readonly fetchImage?: typeof fetch | undefined;
}

/**
 * Loads a model: files, plans, weights, and a handler in front. The plans are recorded first, so
 * that pipelines compile while the weights are on their way.
 *
 * @param open reads the checkpoint's small files, once there is a GPU
 * @throws NoGpuError; Error when the checkpoint can't be used or the device can't hold it; the
 *   signal's reason when it aborts
 */
export async function serveCheckpoint(
  open: () => Promise<Checkpoint>,
  options: CheckpointOptions,
  platform: Platform,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<Server> {
  const { base, fetchImage, quantization } = options;
  const gpu = await openGpu(await platform.requestAdapter());
  try {
    const checkpoint = await open();
    gpu.device.pushErrorScope("out-of-memory");
    const { model, weights, engine } = planModel(gpu, checkpoint, options);
    const prepared = engine.prepare();
    const refused = gpu.device.popErrorScope();
    // Awaited below; a failure before that is reported there.
    prepared.catch(() => {});
    if (await refused) throw tooLarge(checkpoint.id, gpu.bytes);
    await weights.load(checkpoint, { signal, onProgress });
    await prepared;
    gpu.throwIfFailed();

    const served = {
      id: checkpoint.id,
      created: Math.floor(Date.now() / 1000),
      fingerprint: `webvlm-${gpu.adapter.vendor || "gpu"}-${quantization ?? "auto"}`,
      chat: chatModel(checkpoint.files, {
        generator: engine,
        processor: model.processor,
        decodeImage: (bytes) => platform.decodeImage(bytes),
        baseUrl: base,
        ...(fetchImage && { fetch: fetchImage }),
      }),
    };
    const handler = createHandler({ model: () => served });
    const total = checkpoint.weightBytes;
    onProgress({ stage: "ready", loadedBytes: total, totalBytes: total, networkBytes: 0 });
    return {
      id: served.id,
      fetch: handler,
      stats: () => engine.stats,
      dispose: () => gpu.destroy(),
    };
  } catch (error) {
    const lost = gpu.lost;
    gpu.destroy();
    throw lost ?? error;
  }
}

/**
 * Makes room on a device for all that a model needs but its weights, which it takes when the
 * engine has prepared its plans.
 */
export function planModel(
  gpu: Gpu,
  checkpoint: Checkpoint,
  options: ModelOptions,
): { model: Model; weights: GpuWeights; engine: Engine } {
  const { quantization, maxImageTokens = IMAGE_TOKENS } = options;
  const model = createModel(checkpoint.files, { maxImageTokens });
  const weights = new GpuWeights(gpu, checkpoint, { quantization, rename: model.rename });
  const preprocess = async (image: PreparedImage) => {
    try {
      return await preparePatches(gpu, image, model.processor);
    } finally {
      close(image);
    }
  };
  const engine = new Engine(gpu, model, weights, preprocess, { ...options, onCachedImage: close });
  return { model, weights, engine };
}

/** A photo keeps its decoded size until it is collected, unless it is closed. */
function close({ reused, decoded: { source } }: PreparedImage): void {
  if (!reused && "close" in source) source.close();
}

function tooLarge(id: string, bytes: number): OutOfMemoryError {
  const size = (bytes / 2 ** 30).toFixed(1);
  return new OutOfMemoryError(
    `${id} needs ${size} GiB of GPU memory, which this device does not give. ` +
      `Try quantization "q4", a shorter contextLength, or a smaller model.`,
  );
}
