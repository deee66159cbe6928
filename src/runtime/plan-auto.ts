import { kvBytesPerToken } from "../engine/kv-cache.ts";
import { elementCount } from "../gpu/tensor.ts";
import type { CreateModel } from "../models/registered-family.ts";
import { type KvType, PAGE_TOKENS } from "../ops/cache.ts";
import { OutOfMemoryError } from "../platform/device-error.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import {
  AUTO_LEVELS,
  type AutoLevel,
  type Quantization,
  widestLevel,
} from "../weights/choose-format.ts";
import { type AssembledModel, assemble } from "./assemble.ts";
import { ADVICE, excessOf, reasonOf } from "./auto-reason.ts";
import { countingGpu } from "./counting-device.ts";
import { memoryBudget } from "./memory-budget.ts";
import type { RuntimeOptions } from "./options.ts";

/** What "auto" has chosen for a device. */
export interface AutoPlan {
  /** How matrices are stored; the tower and the connector never have fewer than 8 bits. */
  readonly level: AutoLevel;
  /** How keys and values are kept. */
  readonly kvCache: KvType;
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

/** A way to store the model. */
interface Step {
  readonly level: AutoLevel;
  readonly kvCache: KvType;
}

/** A step that was tried, and what it takes. */
export interface Attempt extends Step {
  readonly recorded: RecordedModel;
}

/** A plan, and the model that was recorded for it. */
export interface ChosenModel {
  readonly plan: AutoPlan;
  readonly recorded: RecordedModel;
}

/**
 * Chooses the first step that fits the device, and a shorter context if none does.
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
): Promise<ChosenModel> {
  const budget = memoryBudget(options.memoryBytes, options.device ?? {});
  const attempt = async (step: Step, more: Partial<RuntimeOptions> = {}): Promise<Attempt> => {
    const { level, kvCache } = step;
    const all = { ...options, ...more, kvCache };
    return { ...step, recorded: await record(createModel, checkpoint, all, { auto: level }) };
  };
  const fits = ({ recorded }: Attempt) => recorded.deviceBytes <= budget.bytes;
  const chosen = (one: Attempt, reason: string): ChosenModel => {
    const { level, kvCache, recorded } = one;
    const { deviceBytes: gpuBytes, engine } = recorded;
    const sizes = { contextLength: engine.contextLength, gpuBytes, budgetBytes: budget.bytes };
    return { plan: { level, kvCache, ...sizes, fits: fits(one), reason }, recorded };
  };

  const tried: Attempt[] = [];
  for (const step of stepsFrom(widestLevel(checkpoint.weightBytes), options.kvCache)) {
    const before = tried.at(-1);
    if (before?.level === step.level) {
      // Only the cache differs. Where it is still too large, plans need not be recorded again.
      const deviceBytes = bytesInF16(before.recorded);
      if (deviceBytes > budget.bytes) {
        tried.push({ ...step, recorded: { ...before.recorded, deviceBytes } });
        continue;
      }
    }
    const next = await attempt(step);
    if (fits(next)) return chosen(next, reasonOf(next, budget, tried));
    tried.push(next);
  }
  const last = tried.at(-1)!;
  const contextLength =
    options.contextLength === undefined ? contextWithin(last.recorded, budget.bytes) : undefined;
  if (contextLength !== undefined) {
    const shorter = await attempt(last, { contextLength });
    if (fits(shorter) || !budget.strict) {
      return chosen(shorter, reasonOf(shorter, budget, tried, contextLength));
    }
  }
  const excess = excessOf(checkpoint.id, last, budget);
  if (budget.strict) throw new OutOfMemoryError(`${excess}. ${ADVICE}`);
  return chosen(last, excess);
}

/**
 * Keys and values in f16 come before narrower matrices: they are off by a 2048th at most, and a weight
 * in q8 by ten times as much.
 *
 * @param kvCache what the caller wants
 * @returns what is tried, in order
 */
function stepsFrom(widest: AutoLevel, kvCache: KvType | undefined): readonly Step[] {
  const levels = AUTO_LEVELS.slice(AUTO_LEVELS.indexOf(widest));
  const narrow = levels.map((level) => ({ level, kvCache: kvCache ?? "f16" }));
  return kvCache ? narrow : [{ level: widest, kvCache: "f32" }, ...narrow];
}

/** @returns the bytes of a model that was recorded with keys and values in f32, if they were in f16 */
export function bytesInF16({ model: { text }, engine, deviceBytes }: RecordedModel): number {
  const tokens = Math.ceil(engine.contextLength / PAGE_TOKENS) * PAGE_TOKENS;
  const saved = kvBytesPerToken(text) - kvBytesPerToken(text, "f16");
  // A page of one layer's keys or values, through which pages are copied.
  const copied = PAGE_TOKENS * text.num_key_value_heads * text.head_dim * 2;
  return deviceBytes - tokens * saved - copied;
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
  const perToken = states.reduce(
    (sum, size) => sum + size,
    kvBytesPerToken(model.text, engine.kvCache),
  );
  const excess = Math.ceil((deviceBytes - bytes) / perToken);
  const context = Math.floor((engine.contextLength - excess) / STEP) * STEP;
  const least = Math.min(LEAST_CONTEXT, engine.contextLength);
  if (context >= engine.contextLength) return undefined;
  return context >= least ? context : undefined;
}
