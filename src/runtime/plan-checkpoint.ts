import { kvBytesPerToken } from "../engine/kv-cache.ts";
import { byteSize, elementCount } from "../gpu/tensor.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import { type QuantizationName, QUANTIZATIONS } from "../weights/formats/registry.ts";
import { assemble } from "./assemble.ts";
import { countingGpu } from "./counting-device.ts";
import type { RuntimeOptions, SourceOptions } from "./options.ts";

/** The parts of a model, by the names of its tensors. */
export const PLAN_PARTS = ["text", "embedding", "vision", "connector"] as const;
export type PlanPart = (typeof PLAN_PARTS)[number];

/** The size of one part in the checkpoint's files. */
export interface PartSize {
  readonly parameters: number;
  readonly bytes: number;
}

/** The GPU memory of a loaded model, in bytes. */
export interface GpuPlan {
  readonly weights: Readonly<Record<PlanPart, number>>;
  /** Keys and values of `contextLength` tokens. */
  readonly kvCache: number;
  /** Image states that the prompt refers to: image embeddings, or keys and values of images. */
  readonly images: number;
  /**
   * Activations and other buffers of the engine. Two things come on top of the plan: an image's
   * pixels while it is encoded, and the activations of a prompt that must be one chunk and is longer
   * than an image and a question.
   */
  readonly buffers: number;
  readonly total: number;
}

/** The memory that a model needs, computed from its configuration and the headers of its weights. */
export interface ModelPlan {
  readonly id: string;
  /** `model_type` of config.json, such as "smolvlm". */
  readonly modelType: string;
  /** Data types in the files, such as "BF16". */
  readonly storedAs: readonly string[];
  /** Bytes of the weights in the files: what a download takes. */
  readonly downloadBytes: number;
  readonly disk: Readonly<Record<PlanPart, PartSize>>;
  /** The GPU memory by `quantization`. */
  readonly gpu: Readonly<Record<QuantizationName, GpuPlan>>;
  /** Tokens of prompt and answer together, within the planned memory. */
  readonly contextLength: number;
  /** The model's own limit of the context length. */
  readonly maxContextLength: number;
  readonly kvBytesPerToken: number;
  /** Most images of one prompt; undefined where only the context length limits them. */
  readonly maxImages: number | undefined;
  /** Prompt tokens of one image, for a few common sizes in pixels. */
  readonly imageTokens: readonly {
    readonly width: number;
    readonly height: number;
    readonly tokens: number;
  }[];
}

/** How a model would be loaded. The plan covers every quantization. */
export type PlanOptions = Omit<SourceOptions, "quantization">;

/** An icon, a small screenshot, a square, a full screen, a photo. */
const IMAGE_SIZES = [
  [224, 224],
  [640, 480],
  [1024, 1024],
  [1920, 1080],
  [4000, 3000],
] as const;

/**
 * Computes the memory that a checkpoint needs. Its plans are recorded on a device that only counts
 * bytes, so the code that loads a model also decides the numbers.
 *
 * @throws Error when the checkpoint can't be used
 */
export async function planCheckpoint(
  checkpoint: Checkpoint,
  options: Omit<RuntimeOptions, "quantization"> = {},
): Promise<ModelPlan> {
  const gpu = {} as Record<QuantizationName, GpuPlan>;
  for (const name of QUANTIZATIONS) gpu[name] = await planGpu(checkpoint, options, name);
  const { model, engine } = assemble(countingGpu(), checkpoint, options);
  const { model_type } = checkpoint.files["config.json"] as { model_type: string };
  return {
    id: checkpoint.id,
    modelType: model_type,
    storedAs: [...new Set([...checkpoint.tensors.values()].map(({ dtype }) => dtype))],
    downloadBytes: checkpoint.weightBytes,
    disk: partSizes(checkpoint),
    gpu,
    contextLength: engine.contextLength,
    maxContextLength: model.text.max_position_embeddings,
    kvBytesPerToken: kvBytesPerToken(model.text),
    maxImages: engine.maxImages,
    imageTokens: IMAGE_SIZES.map(([width, height]) => {
      return { width, height, tokens: model.processor.layout(width, height, "auto").tokenCount };
    }),
  };
}

function partSizes({ tensors }: Checkpoint): Record<PlanPart, PartSize> {
  const sizes = forEachPart(() => ({ parameters: 0, bytes: 0 }));
  for (const [name, { shape, begin, end }] of tensors) {
    const size = sizes[partOf(name)];
    size.parameters += elementCount(shape);
    size.bytes += end - begin;
  }
  return sizes;
}

async function planGpu(
  checkpoint: Checkpoint,
  options: RuntimeOptions,
  quantization: QuantizationName,
): Promise<GpuPlan> {
  const gpu = countingGpu();
  const { model, weights, engine } = assemble(gpu, checkpoint, { ...options, quantization });
  await engine.prepare();
  const parts = forEachPart(() => 0);
  for (const { names, bytes } of weights.allocated) parts[partOf(names.join(" "))] += bytes;
  const kvCache = kvBytesPerToken(model.text) * engine.contextLength;
  const images = engine.imageStates.reduce((sum, state) => sum + byteSize(state), 0);
  const counted = Object.values(parts).reduce((sum, bytes) => sum + bytes, kvCache + images);
  return { weights: parts, kvCache, images, buffers: gpu.bytes - counted, total: gpu.bytes };
}

/** All families name their tensors so. */
function partOf(name: string): PlanPart {
  if (/connector|projector|projection|merger/.test(name)) return "connector";
  if (/vision|visual/.test(name)) return "vision";
  return /embed_tokens|lm_head/.test(name) ? "embedding" : "text";
}

function forEachPart<T>(make: () => T): Record<PlanPart, T> {
  return Object.fromEntries(PLAN_PARTS.map((part) => [part, make()])) as Record<PlanPart, T>;
}
