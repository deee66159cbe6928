import { kvBytesPerToken } from "../engine/kv-cache.ts";
import { byteSize, elementCount } from "../gpu/tensor.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import { type QuantizationName, QUANTIZATIONS } from "../weights/formats/registry.ts";
import { type ModelOptions, planModel } from "../worker/load.ts";
import { countingGpu } from "./counting-device.ts";

export const PARTS = ["text", "embedding", "vision", "connector"] as const;
export type Part = (typeof PARTS)[number];

/** What a checkpoint has on disk. */
export interface PartSize {
  readonly parameters: number;
  readonly bytes: number;
}

/** What a model takes on the GPU when it is loaded. */
export interface GpuPlan {
  readonly weights: Readonly<Record<Part, number>>;
  readonly keysAndValues: number;
  /** What images leave for the prompt: image rows, or keys and values. */
  readonly images: number;
  /**
   * Activations, and what the engine keeps beside. Images come on top while they are read, and
   * activations of prompts that must be one chunk and are more than an image and a question.
   */
  readonly buffers: number;
  readonly total: number;
}

export interface MemoryPlan {
  readonly id: string;
  readonly modelType: string;
  /** Numbers by their type in the files, such as "BF16". */
  readonly storedAs: readonly string[];
  readonly disk: Readonly<Record<Part, PartSize>>;
  readonly gpu: Readonly<Record<QuantizationName, GpuPlan>>;
  readonly contextLength: number;
  /** What the model was made for. */
  readonly maxContextLength: number;
  readonly kvBytesPerToken: number;
  /** Images that a prompt may have, where they are not bounded by the context. */
  readonly maxImages: number | undefined;
  /** Rows of the prompt that an image takes. */
  readonly imageRows: readonly {
    readonly width: number;
    readonly height: number;
    readonly rows: number;
  }[];
}

/** Sizes that images have: an icon, a screenshot, a full screen, a photo. */
const IMAGES = [
  [224, 224],
  [640, 480],
  [1024, 1024],
  [1920, 1080],
  [4000, 3000],
] as const;

/**
 * What a checkpoint takes, found by recording its plans on a device that only counts: the same code
 * decides as when it is loaded.
 *
 * @throws Error when the checkpoint can't be used
 */
export async function planMemory(
  checkpoint: Checkpoint,
  options: Omit<ModelOptions, "quantization"> = {},
): Promise<MemoryPlan> {
  const gpu = {} as Record<QuantizationName, GpuPlan>;
  for (const format of QUANTIZATIONS) gpu[format] = await planGpu(checkpoint, options, format);
  const { model, engine } = planModel(countingGpu(), checkpoint, options);
  const { model_type } = checkpoint.files["config.json"] as { model_type: string };
  return {
    id: checkpoint.id,
    modelType: model_type,
    storedAs: [...new Set([...checkpoint.tensors.values()].map(({ dtype }) => dtype))],
    disk: planDisk(checkpoint),
    gpu,
    contextLength: engine.contextLength,
    maxContextLength: model.text.max_position_embeddings,
    kvBytesPerToken: kvBytesPerToken(model.text),
    maxImages: engine.maxImages,
    imageRows: IMAGES.map(([width, height]) => {
      return { width, height, rows: model.processor.layout(width, height, "auto").tokenCount };
    }),
  };
}

function planDisk({ tensors }: Checkpoint): Record<Part, PartSize> {
  const sizes = perPart(() => ({ parameters: 0, bytes: 0 }));
  for (const [name, { shape, begin, end }] of tensors) {
    const size = sizes[partOf(name)];
    size.parameters += elementCount(shape);
    size.bytes += end - begin;
  }
  return sizes;
}

async function planGpu(
  checkpoint: Checkpoint,
  options: ModelOptions,
  quantization: QuantizationName,
): Promise<GpuPlan> {
  const gpu = countingGpu();
  const { model, weights, engine } = planModel(gpu, checkpoint, { ...options, quantization });
  await engine.prepare();
  const parts = perPart(() => 0);
  for (const { names, bytes } of weights.allocated) parts[partOf(names.join(" "))] += bytes;
  const keysAndValues = kvBytesPerToken(model.text) * engine.contextLength;
  const images = engine.imageStates.reduce((sum, state) => sum + byteSize(state), 0);
  const held = Object.values(parts).reduce((sum, bytes) => sum + bytes, keysAndValues + images);
  const buffers = gpu.bytes - held;
  return { weights: parts, keysAndValues, images, buffers, total: gpu.bytes };
}

/** By what families call their tensors. */
function partOf(name: string): Part {
  if (/connector|projector|projection|merger/.test(name)) return "connector";
  if (/vision|visual/.test(name)) return "vision";
  return /embed_tokens|lm_head/.test(name) ? "embedding" : "text";
}

function perPart<T>(make: () => T): Record<Part, T> {
  return Object.fromEntries(PARTS.map((part) => [part, make()])) as Record<Part, T>;
}
