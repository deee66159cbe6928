import { chatModel } from "../chat/chat.ts";
import { Engine } from "../engine/engine.ts";
import type { PreparedImage } from "../engine/generation.ts";
import { OutOfMemoryError, openGpu } from "../gpu/device.ts";
import { preparePatches } from "../image/preprocess.ts";
import { createModel } from "../models/registry.ts";
import { createHandler } from "../openai/handler.ts";
import type { Platform } from "../platform/platform.ts";
import { STORE } from "../weights/cache.ts";
import { openCheckpoint } from "../weights/checkpoint.ts";
import { GpuWeights } from "../weights/gpu-weights.ts";
import type { OnProgress } from "../weights/progress.ts";
import { resolveSource } from "../weights/source.ts";
import type { ServeOptions, Server } from "./api.ts";

/** What one picture may take unless the caller says otherwise: about half of a small context. */
const IMAGE_TOKENS = 2048;

/**
 * Loads a model: files, plans, weights, and a handler in front. The plans are recorded first, so
 * that pipelines compile while the weights are on their way.
 *
 * @throws NoGpuError; Error when the checkpoint can't be used or the device can't hold it; the
 *   signal's reason when it aborts
 */
export async function serveModel(
  source: string,
  options: ServeOptions,
  platform: Platform,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<Server> {
  const { base, hub, token, cache, quantization } = options;
  const gpu = await openGpu(await platform.requestAdapter());
  try {
    const checkpoint = await openCheckpoint(resolveSource(source, { base, hub }), {
      store: platform.openStore(STORE),
      cache,
      token,
      signal,
      onProgress,
    });
    const { maxImageTokens = IMAGE_TOKENS } = options;
    const model = createModel(checkpoint.files, { maxImageTokens });
    const weights = new GpuWeights(gpu, checkpoint, { quantization, rename: model.rename });
    const preprocess = async (image: PreparedImage) => {
      try {
        return await preparePatches(gpu, image, model.processor);
      } finally {
        // A photo keeps its decoded size until it is collected, unless it is closed.
        if (!image.reused && "close" in image.picture.source) image.picture.source.close();
      }
    };
    gpu.device.pushErrorScope("out-of-memory");
    const engine = new Engine(gpu, model, weights, preprocess, options);
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

function tooLarge(id: string, bytes: number): OutOfMemoryError {
  const size = (bytes / 2 ** 30).toFixed(1);
  return new OutOfMemoryError(
    `${id} needs ${size} GiB of GPU memory, which this device does not give. ` +
      `Try quantization "q4", a shorter contextLength, or a smaller model.`,
  );
}
