import { kvBytesPerToken } from "../engine/kv-cache.ts";
import { elementCount } from "../gpu/tensor.ts";
import type { CreateModel } from "../models/registered-family.ts";
import { OutOfMemoryError } from "../platform/device-error.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import {
  AUTO_LEVELS,
  type AutoLevel,
  type Quantization,
  widestLevel,
} from "../weights/choose-format.ts";
import { type AssembledModel, assemble } from "./assemble.ts";
import { countingGpu } from "./counting-device.ts";
import { memoryBudget } from "./memory-budget.ts";
import type { RuntimeOptions } from "./options.ts";

/** What "auto" has chosen for a device. */
export interface AutoPlan {
  /** How matrices are stored; the tower and the connector never have fewer than 8 bits. */
  readonly level: AutoLevel;
  readonly contextLength: number;
  /** GPU memory of the whole model, in bytes. */
  readonly gpuBytes: number;
  /** Memory that the model may take, in bytes. */
  readonly budgetBytes: number;
  readonly fits: boolean;
  /** Why, in a sentence. */
  readonly reason: string;
}

/** Contexts are cut to a multiple of this. */
const STEP = 64;
/** A shorter context has no room for an image and a conversation. */
const LEAST_CONTEXT = 1024;

/** A model whose plans are recorded on a device that only counts bytes. */
export interface RecordedModel extends AssembledModel {
  readonly deviceBytes: number;
}

/** Records a model's plans, with the code that loads it. */
export async function recordModel(
  createModel: CreateModel,
  checkpoint: Checkpoint,
  options: Omit<RuntimeOptions, "quantization">,
  quantization: Quantization,
): Promise<RecordedModel> {
  const gpu = countingGpu();
  const assembled = assemble(createModel, gpu, checkpoint, options, quantization);
  await assembled.engine.prepare();
  return { ...assembled, deviceBytes: gpu.bytes };
}

/**
 * Chooses the widest level that fits the device, and a shorter context if none does.
 *
 * @param record replaced by tests
 * @throws OutOfMemoryError when nothing fits the option `memoryBytes`. A mere estimate is exceeded: the
 *   device itself says whether it has the memory.
 */
export async function planAuto(
  createModel: CreateModel,
  checkpoint: Checkpoint,
  options: RuntimeOptions,
  record = recordModel,
): Promise<AutoPlan> {
  const { bytes, source, strict } = memoryBudget(options.memoryBytes, options.device ?? {});
  const limit = `${gigabytes(bytes)} (${source})`;
  const widest = widestLevel(checkpoint.weightBytes);
  const levels = AUTO_LEVELS.slice(AUTO_LEVELS.indexOf(widest));
  const tried: string[] = [];
  const plan = (recorded: RecordedModel, level: AutoLevel, reason: string): AutoPlan => {
    const { engine, deviceBytes: gpuBytes } = recorded;
    const { contextLength } = engine;
    return { level, contextLength, gpuBytes, budgetBytes: bytes, fits: gpuBytes <= bytes, reason };
  };
  let last: RecordedModel | undefined;
  for (const level of levels) {
    last = await record(createModel, checkpoint, options, { auto: level });
    const need = gigabytes(last.deviceBytes);
    const more = tried.length > 0 ? `; ${tried.join(", ")}` : "";
    if (last.deviceBytes <= bytes)
      return plan(last, level, `${level} takes ${need} of ${limit}${more}`);
    tried.push(`${level} would take ${need}`);
  }
  const whole = last!;
  const context = options.contextLength === undefined ? contextWithin(whole, bytes) : undefined;
  if (context !== undefined) {
    const shorter = await record(
      createModel,
      checkpoint,
      { ...options, contextLength: context },
      { auto: "q4" },
    );
    const reason = `q4 and a context of ${context} tokens take ${gigabytes(shorter.deviceBytes)} of ${limit}; ${tried.join(", ")}`;
    const planned = plan(shorter, "q4", reason);
    if (planned.fits || !strict) return planned;
  }
  const message = `${checkpoint.id} needs ${gigabytes(whole.deviceBytes)} of GPU memory in q4`;
  if (strict) {
    throw new OutOfMemoryError(
      `${message}, and memoryBytes allows ${gigabytes(bytes)}. Try a smaller model or a shorter contextLength.`,
    );
  }
  return plan(whole, "q4", `${message}, more than ${limit}`);
}

/** @returns the longest context that fits; undefined when even the least doesn't, or none is shorter */
function contextWithin(
  { model, engine, deviceBytes }: RecordedModel,
  bytes: number,
): number | undefined {
  const states = engine.imageStates.map(({ shape }) => {
    // Embeddings have a row for each token; keys and values of cross-attention don't.
    return shape[0] === engine.contextLength ? (elementCount(shape) / shape[0]) * 4 : 0;
  });
  const perToken = states.reduce((sum, size) => sum + size, kvBytesPerToken(model.text));
  const excess = Math.ceil((deviceBytes - bytes) / perToken);
  const context = Math.floor((engine.contextLength - excess) / STEP) * STEP;
  const least = Math.min(LEAST_CONTEXT, engine.contextLength);
  if (context >= engine.contextLength) return undefined;
  return context >= least ? context : undefined;
}

function gigabytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(2)} GiB`;
}
