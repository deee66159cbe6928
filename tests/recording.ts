import { expect } from "vitest";
import type { Engine } from "../src/engine/engine.ts";
import type { Model } from "../src/models/model.ts";
import type { CreateModel } from "../src/models/registered-family.ts";
import { createModel } from "../src/models/registry.ts";
import { assemble } from "../src/runtime/assemble.ts";
import { countingGpu } from "../src/runtime/counting-device.ts";
import type { Checkpoint } from "../src/weights/checkpoint.ts";

/** What the engine reads. A model keeps more of its config.json there. */
const TEXT_FIELDS = [
  "vocab_size",
  "hidden_size",
  "num_hidden_layers",
  "num_kv_layers",
  "num_conv_layers",
  "num_key_value_heads",
  "head_dim",
  "max_position_embeddings",
  "sliding_window",
] as const satisfies readonly (keyof Model["text"])[];

/** Of images, in pixels. */
const SIZES = [
  [30, 20],
  [300, 200],
  [2000, 100],
] as const;

export interface RecordingOptions {
  /** Default 512. */
  readonly contextLength?: number;
  /** The checkpoint's model, if it is made already. */
  readonly model?: Model;
  /** Whether to record the step of one token, which is the same function of other kernels. Default true. */
  readonly steps?: boolean;
}

/**
 * Records what decides a checkpoint's answers, without a GPU: the kernels with their constants in order,
 * the buffers bound to them, the bytes written to the device, where each weight is in the files, and the layout of images.
 * Checkpoints with equal recordings answer alike.
 */
export async function recordingOf(
  checkpoint: Checkpoint,
  { contextLength = 512, model: made, steps = true }: RecordingOptions = {},
) {
  const gpu = countingGpu();
  const kernels: unknown[] = [];
  const written: string[] = [];
  const pipeline = { getBindGroupLayout: () => ({}) } as unknown as GPUComputePipeline;
  gpu.pipeline = async ({ name, code, constants }) => {
    kernels.push([name, code, constants]);
    return pipeline;
  };
  const buffers = new Map<unknown, number>();
  const numberOf = (buffer: unknown) => {
    const known = buffers.get(buffer) ?? buffers.size;
    buffers.set(buffer, known);
    return known;
  };
  const bound: string[] = [];
  gpu.device.createBindGroup = ({ entries }) => {
    const numbers = Array.from(entries, ({ resource }) =>
      numberOf((resource as GPUBufferBinding).buffer ?? resource),
    );
    bound.push(numbers.join());
    return {} as GPUBindGroup;
  };
  gpu.device.queue.writeBuffer = (_buffer, offset, data, begin = 0, size) => {
    written.push(`${offset} ${Buffer.from(data as ArrayBuffer, begin, size).toString("base64")}`);
  };
  const options = { quantization: "f32", contextLength } as const;
  const create: CreateModel = (files, options) => {
    const model = made ?? createModel(files, options);
    return { ...model, ...(model.storedNames && { storedNames: remembered(model.storedNames) }) };
  };
  const { model, weights, engine } = assemble(create, gpu, checkpoint, options);
  if (steps) await engine.prepare();
  else await prepareFirstToken(engine);
  expect(kernels.length).toBeGreaterThan(20);
  expect(written.length).toBeGreaterThan(0);
  const { processor } = model;
  const layouts = SIZES.map(([width, height]) => processor.layout(width, height, "auto"));
  const { imageTokenId } = processor;
  const ids = layouts.flatMap(({ tokenCount }) => [
    1,
    ...new Array<number>(tokenCount).fill(imageTokenId),
    2,
  ]);
  return {
    kernels,
    bound,
    written,
    weights: weights.allocated.map(({ tensors, ...rest }) => ({
      ...rest,
      stored: tensors.map((name) => checkpoint.tensors.get(name)),
    })),
    text: TEXT_FIELDS.map((field) => [field, model.text[field]] as const),
    pixels: [processor.rescale, processor.mean, processor.std],
    layouts,
    positions: model.promptPositions?.(ids, layouts),
  };
}

type StoredNames = NonNullable<Model["storedNames"]>;

const namesOf = new WeakMap<StoredNames, Map<string, readonly string[]>>();

/** The same function, which remembers its results over all recordings. */
function remembered(storedNames: StoredNames): StoredNames {
  const known = namesOf.get(storedNames) ?? new Map<string, readonly string[]>();
  namesOf.set(storedNames, known);
  return (name) => {
    const names = known.get(name) ?? storedNames(name);
    known.set(name, names);
    return names;
  };
}

/** What `Engine.prepare` records for a prompt and its first token. */
async function prepareFirstToken({ decoder, vision }: Engine): Promise<void> {
  const { preparedRows } = decoder.limits;
  await Promise.all([
    decoder.forward(preparedRows),
    decoder.sampler(1, { greedy: true }),
    vision.prepare(),
  ]);
}
