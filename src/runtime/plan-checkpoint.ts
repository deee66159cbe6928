import { kvBytesPerToken } from "../engine/kv-cache.ts";
import { byteSize, elementCount } from "../gpu/tensor.ts";
import type { CreateModel } from "../models/registered-family.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import {
  ELEMENT_FORMATS,
  type QuantizationName,
  QUANTIZATIONS,
} from "../weights/formats/registry.ts";
import type { AllocatedTensor } from "../weights/gpu-weights.ts";
import { type DecodeCost, decodeCost } from "./decode-cost.ts";
import type { RuntimeOptions, SourceOptions } from "./options.ts";
import { type AutoPlan, type RecordedModel, planAuto, recordModel } from "./plan-auto.ts";

/** The parts of a model. `embedding` is the token embeddings and the head. */
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
  /** Data types in the files, such as "BF16", or the formats of what `webvlm convert` wrote, such as "q8". */
  readonly storedAs: readonly string[];
  /** Bytes of the weights in the files: what a download takes. */
  readonly downloadBytes: number;
  readonly disk: Readonly<Record<PlanPart, PartSize>>;
  /** What "auto" has chosen for this device, and why. */
  readonly auto: AutoPlan;
  /** The GPU memory by `quantization`. */
  readonly gpu: Readonly<Record<QuantizationName, GpuPlan>>;
  /** What the GPU does for one token, by `quantization`. */
  readonly decode: Readonly<Record<QuantizationName, DecodeCost>>;
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

/** Also in `scripts/published/record.py`. An icon, a small screenshot, a square, a full screen, a photo. */
export const IMAGE_SIZES = [
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
  createModel: CreateModel,
  checkpoint: Checkpoint,
  options: Omit<RuntimeOptions, "quantization"> = {},
): Promise<ModelPlan> {
  const gpu = {} as Record<QuantizationName, GpuPlan>;
  const decode = {} as Record<QuantizationName, DecodeCost>;
  const { plan: auto, recorded } = await planAuto(createModel, checkpoint, options);
  for (const name of QUANTIZATIONS) {
    const one =
      name === "auto" ? recorded : await recordModel(createModel, checkpoint, options, name);
    gpu[name] = planGpu(one);
    decode[name] = await decodeCost(one);
  }
  const { model, engine, weights } = recorded;
  const { model_type } = checkpoint.files["config.json"] as { model_type: string };
  return {
    id: checkpoint.id,
    modelType: model_type,
    storedAs: storedAs(checkpoint),
    downloadBytes: checkpoint.weightBytes,
    disk: partSizes(checkpoint, weights.allocated),
    auto,
    gpu,
    decode,
    contextLength: engine.contextLength,
    maxContextLength: model.text.max_position_embeddings,
    kvBytesPerToken: kvBytesPerToken(model.text, engine.kvCache),
    maxImages: engine.maxImages,
    imageTokens: IMAGE_SIZES.map(([width, height]) => {
      return { width, height, tokens: model.processor.layout(width, height, "auto").tokenCount };
    }),
  };
}

/** @returns data types in the files; of what `webvlm convert` wrote in words, the formats */
function storedAs({ files, tensors }: Checkpoint): string[] {
  const { quantization_config } = files["config.json"] as {
    readonly quantization_config?: {
      readonly matrices?: Readonly<Record<string, { readonly format: string }>>;
    };
  };
  const formats = Object.values(quantization_config?.matrices ?? {}).map(({ format }) => format);
  const dtypes = [...tensors.values()].map(({ dtype }) => dtype);
  const others = formats.length > 0 ? dtypes.filter((dtype) => dtype !== "U32") : dtypes;
  return [...new Set([...formats, ...others])];
}

function planGpu({ model, weights, engine, deviceBytes: total }: RecordedModel): GpuPlan {
  const parts = forEachPart(() => 0);
  for (const tensor of weights.allocated) parts[partOf(tensor)] += tensor.bytes;
  const kvCache = kvBytesPerToken(model.text, engine.kvCache) * engine.contextLength;
  const images = engine.imageStates.reduce((sum, state) => sum + byteSize(state), 0);
  const counted = Object.values(parts).reduce((sum, bytes) => sum + bytes, kvCache + images);
  return { weights: parts, kvCache, images, buffers: total - counted, total };
}

function partOf({ part, role }: AllocatedTensor): PlanPart {
  if (part !== "text") return part;
  return role === "embedding" || role === "head" ? "embedding" : "text";
}

/**
 * A tensor that the model does not use counts as the used one with the most similar path. If it has no
 * floats, none of its elements is a parameter.
 */
function partSizes(
  { tensors }: Checkpoint,
  allocated: readonly AllocatedTensor[],
): Record<PlanPart, PartSize> {
  const used = new Map<string, PlanPart>();
  const parameters = new Map<string, number>();
  for (const tensor of allocated) {
    tensor.tensors.forEach((name, i) => {
      used.set(name, partOf(tensor));
      parameters.set(name, tensor.parameters[i]!);
    });
  }
  const sizes = forEachPart(() => ({ parameters: 0, bytes: 0 }));
  for (const [name, { dtype, shape, begin, end }] of tensors) {
    const size = sizes[used.get(name) ?? partOfSimilar(name, used)];
    const unused = ELEMENT_FORMATS.has(dtype) ? elementCount(shape) : 0;
    size.parameters += parameters.get(name) ?? unused;
    size.bytes += end - begin;
  }
  return sizes;
}

function partOfSimilar(name: string, used: ReadonlyMap<string, PlanPart>): PlanPart {
  let [similar, longest]: [PlanPart, number] = ["text", 0];
  for (const [other, part] of used) {
    const length = commonPath(name.split("."), other.split("."));
    if (length > longest) [similar, longest] = [part, length];
  }
  return similar;
}

/** @returns the number of components that two paths begin with alike */
function commonPath(a: readonly string[], b: readonly string[]): number {
  const end = a.findIndex((component, i) => component !== b[i]);
  return end < 0 ? a.length : end;
}

function forEachPart<T>(make: () => T): Record<PlanPart, T> {
  return Object.fromEntries(PLAN_PARTS.map((part) => [part, make()])) as Record<PlanPart, T>;
}
