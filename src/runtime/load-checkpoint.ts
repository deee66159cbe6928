import { chatModel } from "../chat/model.ts";
import { type Gpu, openGpu } from "../gpu/device.ts";
import type { LoadShaders } from "../gpu/kernels.ts";
import type { CompileGrammar } from "../grammar/grammar.ts";
import { checkResizes } from "../image/image-limits.ts";
import type { CreateModel } from "../models/registered-family.ts";
import { createHandler } from "../openai/handler.ts";
import { OutOfMemoryError } from "../platform/device-error.ts";
import type { Platform } from "../platform/platform.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import { NO_BYTES, type OnProgress } from "../weights/progress.ts";
import { type AssembledModel, assemble } from "./assemble.ts";
import { checkImageToken } from "./check-image-token.ts";
import { EngineHolder } from "./engine-holder.ts";
import type { LoadedModel } from "./loaded-model.ts";
import type { RuntimeOptions } from "./options.ts";
import { type AutoPlan, planAuto } from "./plan-auto.ts";

/** How a checkpoint is run, and how the images of its requests are read. */
export interface LoadCheckpointOptions extends RuntimeOptions {
  /** Base of relative image URLs. Without it they are rejected. */
  readonly base?: string | undefined;
  /** Fetches images. Default: the global `fetch`. */
  readonly fetchImage?: typeof fetch | undefined;
  /** Compiles the formats that answers must match. */
  readonly compileGrammar: CompileGrammar;
  readonly createModel: CreateModel;
  /** Loads the shaders of this adapter's kind. */
  readonly loadShaders: LoadShaders;
}

/**
 * Loads a model: its files, plans and weights, with OpenAI's API in front. The plans are recorded
 * first, so that pipelines compile while the weights arrive.
 *
 * @param open reads the checkpoint's small files; called once a GPU is found
 * @throws DeviceError when this device can't run the model: NoGpuError, OutOfMemoryError or
 *   DeviceLostError. Error when the checkpoint can't be used. The signal's reason when it aborts.
 */
export async function loadCheckpoint(
  open: () => Promise<Checkpoint>,
  options: LoadCheckpointOptions,
  platform: Platform,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<LoadedModel> {
  const { base, fetchImage, compileGrammar, quantization, strictMaxTokens } = options;
  const start = () => startModel(open, options, platform, onProgress, signal);
  const first = await start();
  const startAgain = async () => {
    const started = await start();
    void started.store();
    reportReady(started, onProgress);
    return started;
  };
  const { keepAliveSeconds } = options;
  const holder = new EngineHolder(first, startAgain, {
    keepAliveMs: keepAliveSeconds === undefined ? undefined : 1000 * keepAliveSeconds,
    onLost: () => onProgress({ stage: "recovering", ...NO_BYTES }),
  });
  try {
    const { checkpoint, model, gpu } = first;
    const served = {
      id: checkpoint.id,
      created: Math.floor(Date.now() / 1000),
      fingerprint: `webvlm-${gpu.adapter.vendor || "gpu"}-${quantization ?? "auto"}`,
      chat: chatModel(checkpoint.files, {
        generator: holder,
        processor: model.processor,
        compileGrammar,
        strictMaxTokens,
        decodeImage: (bytes) => platform.decodeImage(bytes),
        checkLayout: (layout) => checkResizes(holder.last.gpu.device.limits, layout),
        baseUrl: base,
        ...(fetchImage && { fetch: fetchImage }),
      }),
    };
    checkImageToken(model.processor, served.chat.tokenizer);
    reportReady(first, onProgress);
    return {
      id: served.id,
      fetch: createHandler({ model: () => served }),
      stats: async () => ({ ...holder.stats, auto: holder.last.auto }),
      stored: first.store(),
      unload: async () => holder.unload(),
      dispose: () => holder.dispose(),
    };
  } catch (error) {
    holder.dispose();
    throw error;
  }
}

/** A checkpoint's model on a GPU. */
interface StartedModel extends AssembledModel {
  readonly gpu: Gpu;
  readonly checkpoint: Checkpoint;
  /** What "auto" has chosen, if it was asked for. */
  readonly auto: AutoPlan | undefined;
  /** Stores the weights in the form in which they are used, unless they are. */
  store(): Promise<void>;
  release(): void;
}

/** Opens a GPU and a checkpoint, and puts its weights and plans on the GPU. */
async function startModel(
  open: () => Promise<Checkpoint>,
  options: LoadCheckpointOptions,
  platform: Platform,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<StartedModel> {
  const { createModel, quantization } = options;
  const gpu = await openGpu(await platform.requestAdapter(), options.loadShaders);
  try {
    const checkpoint = await open();
    const { maxBufferSize: maxBufferBytes } = gpu.device.limits;
    const planned = { ...options, device: { maxBufferBytes, ...options.device } };
    const auto =
      (quantization ?? "auto") === "auto"
        ? (await planAuto(createModel, checkpoint, planned)).plan
        : undefined;
    if (auto) onProgress({ stage: "files", ...NO_BYTES, auto: auto.reason });
    const chosen = auto && { contextLength: auto.contextLength, kvCache: auto.kvCache };
    gpu.device.pushErrorScope("out-of-memory");
    const assembled = { ...options, ...chosen };
    const parts = assemble(createModel, gpu, checkpoint, assembled, auto && { auto: auto.level });
    const { weights, engine } = parts;
    const prepared = engine.prepare();
    const allocationError = gpu.device.popErrorScope();
    // `prepared` is awaited below. An earlier failure is thrown before that.
    prepared.catch(() => {});
    if (await allocationError) throw tooLarge(checkpoint.id, gpu.bytes);
    await weights.load(checkpoint, { signal, onProgress });
    await prepared;
    gpu.throwIfFailed();

    const stop = new AbortController();
    return {
      ...parts,
      gpu,
      checkpoint,
      auto,
      store: () =>
        weights.store(checkpoint, stop.signal).catch((error: unknown) => {
          console.warn("webvlm: the weights were not stored as they are on the GPU:", error);
        }),
      release() {
        stop.abort();
        gpu.destroy();
      },
    };
  } catch (error) {
    const cause = signal.aborted ? error : await gpu.causeOf(error);
    gpu.destroy();
    throw cause;
  }
}

function reportReady({ checkpoint }: StartedModel, onProgress: OnProgress): void {
  const total = checkpoint.weightBytes;
  const done = { loadedBytes: total, totalBytes: total, networkBytes: 0 };
  const lost = checkpoint.storing?.() === false && { stored: false as const };
  onProgress({ stage: "ready", ...done, ...lost });
}

function tooLarge(id: string, bytes: number): OutOfMemoryError {
  const size = (bytes / 2 ** 30).toFixed(1);
  return new OutOfMemoryError(
    `${id} needs ${size} GiB of GPU memory, which this device does not give. ` +
      `Try quantization "q4", a shorter contextLength, or a smaller model.`,
  );
}
