import { Engine, type EngineOptions } from "../src/engine/engine.ts";
import type { GenerationInput, PreparedImage, Sampling } from "../src/engine/generation.ts";
import type { Gpu } from "../src/gpu/device.ts";
import { preparePatches } from "../src/image/preprocess.ts";
import type { CheckpointFiles, Model, Weights } from "../src/models/model.ts";
import { createModel } from "../src/models/registry.ts";
import { decodeImage } from "../src/platform/decode-image.ts";
import type { DecodedImage } from "../src/platform/platform.ts";
import { type Checkpoint, openCheckpoint } from "../src/weights/checkpoint.ts";
import type { Quantization } from "../src/weights/choose-format.ts";
import { PACKED_FORMATS } from "../src/weights/formats/packed.ts";
import { GpuWeights } from "../src/weights/gpu-weights.ts";
import { headerBytes, parseHeader } from "../src/weights/safetensors.ts";
import { resolveSource } from "../src/weights/source.ts";
import { UNPACKED } from "./goldens/paths.ts";

interface Part {
  readonly type: string;
  readonly text?: string;
  readonly image_url?: { readonly url: string };
}

/** One line of a family folder's cases.json. */
export interface GoldenCase {
  readonly name: string;
  readonly messages: readonly { readonly role: string; readonly content: string | Part[] }[];
  readonly prompt: string;
  readonly input_ids: number[];
  readonly output_ids: number[];
  readonly rows_cols?: readonly (readonly [number, number])[];
  /** Patches of each tile. */
  readonly spatial_shapes?: readonly (readonly [height: number, width: number])[];
  readonly image_grid_thw?: readonly (readonly [t: number, h: number, w: number])[];
  readonly tiles_per_image?: readonly number[];
  /** The tiles of each image, for each conversation of a batch. The batch has one. */
  readonly tiles?: readonly (readonly number[])[];
  readonly image_sizes?: readonly (readonly [height: number, width: number])[];
  readonly batch_num_images?: readonly number[];
  readonly pixel_values_shape?: readonly number[];
  readonly image_token_count: number;
  readonly max_tokens: number;
  readonly finish_reason: "stop" | "length";
  readonly text: string;
}

/** The recorded tensors of a folder, by `<case>.<name>`. */
export type Expected = ReadonlyMap<string, Float32Array>;

/** A family folder, unpacked. */
export interface Golden {
  readonly cases: readonly GoldenCase[];
  readonly expected: Expected;
  readonly checkpoint: Checkpoint;
}

export async function openGolden(folder: string): Promise<Golden> {
  const url = `/${UNPACKED}/${folder}`;
  const [cases, expected, checkpoint] = await Promise.all([
    fetch(`${url}/cases.json`).then((response) => response.json() as Promise<GoldenCase[]>),
    fetch(`${url}/expected.safetensors`).then(async (response) =>
      readTensors(new Uint8Array(await response.arrayBuffer())),
    ),
    openCheckpoint(resolveSource(url, { base: location.href }), {
      packedFormats: async () => PACKED_FORMATS,
    }),
  ]);
  return { cases, expected, checkpoint };
}

/** All tensors of a safetensors file of f32. */
function readTensors(file: Uint8Array<ArrayBuffer>): Expected {
  const header = parseHeader("expected", file.subarray(0, headerBytes("expected", file)));
  const tensors = new Map<string, Float32Array>();
  for (const [name, { begin, end }] of header.tensors) {
    tensors.set(name, new Float32Array(file.slice(begin, end).buffer));
  }
  return tensors;
}

/** The images of a conversation. */
function urlsOf({ messages }: Pick<GoldenCase, "messages">): string[] {
  return messages.flatMap(({ content }) =>
    typeof content === "string" ? [] : content.flatMap((part) => part.image_url?.url ?? []),
  );
}

/** Fetches and decodes an image in a page. */
async function fetchImage(url: string): Promise<DecodedImage> {
  return decodeImage(await (await fetch(url)).blob());
}

/** Decodes a case's images and lays them out. */
export async function prepareImages(
  case_: Pick<GoldenCase, "messages">,
  model: Model,
  folder: string,
  readImage = fetchImage,
): Promise<PreparedImage[]> {
  const urls = urlsOf(case_);
  return Promise.all(
    urls.map(async (url) => {
      const decoded = await readImage(`${folder}/${url}`);
      const { width, height } = decoded;
      const layout = model.processor.layout(width, height, "auto", urls.length);
      return { decoded, layout };
    }),
  );
}

export const GREEDY: Sampling = { temperature: 0, topK: 0, topP: 1, minP: 0, seed: 0 };

/** Throws Error when a folder has no case of a name. */
export function caseOf({ cases }: Pick<Golden, "cases">, name: string): GoldenCase {
  const found = cases.find((case_) => case_.name === name);
  if (!found) throw new Error(`no case ${name}`);
  return found;
}

/** The engine's input for a case. Images with the same URL have the same key. */
export async function requestOf(
  case_: GoldenCase,
  model: Model,
  sampling = GREEDY,
): Promise<GenerationInput> {
  const images = await prepareImages(case_, model, "/e2e/goldens");
  const urls = urlsOf(case_);
  return {
    ids: case_.input_ids,
    images: images.map((image, i) => ({ ...image, key: urls[i] as string })),
    maxTokens: case_.output_ids.length,
    stopTokenIds: [],
    sampling,
  };
}

/** An engine over `checkpoint`, its weights on the GPU. */
export async function openEngine(
  gpu: Gpu,
  checkpoint: Checkpoint,
  quantization: Quantization | "auto",
  options: EngineOptions = {},
): Promise<{ engine: Engine; model: Model; weights: GpuWeights }> {
  const model = createModel(checkpoint.files);
  const weights = new GpuWeights(gpu, checkpoint, { quantization, storedNames: model.storedNames });
  const engine = buildEngine(gpu, model, weights, options);
  const prepared = engine.prepare();
  await weights.load(checkpoint);
  await prepared;
  return { engine, model, weights };
}

export function buildEngine(
  gpu: Gpu,
  model: Model,
  weights: Weights,
  options: EngineOptions,
): Engine {
  const preprocess = (image: PreparedImage) => preparePatches(gpu, image, model.processor);
  return new Engine(gpu, model, weights, preprocess, options);
}

/** Greedy decoding. */
export async function generate(
  engine: Engine,
  input: { ids: readonly number[]; images: readonly PreparedImage[]; maxTokens: number },
  files: CheckpointFiles,
): Promise<number[]> {
  const { eos_token_id } = files["generation_config.json"] as {
    eos_token_id: number | number[];
  };
  const ids: number[] = [];
  const stopTokenIds = [eos_token_id].flat();
  const tokens = engine.generate({ ...input, stopTokenIds, sampling: GREEDY });
  for await (const { token } of tokens) ids.push(token);
  return ids;
}

/**
 * Teacher forcing: each recorded token is asked for after the prompt and the recorded ones before it.
 *
 * @returns for each recorded token, whether the engine gives it
 */
export async function tokensKept(
  engine: Engine,
  case_: GoldenCase,
  model: Model,
): Promise<boolean[]> {
  const request = await requestOf(case_, model);
  const kept: boolean[] = [];
  for (const [i, expected] of case_.output_ids.entries()) {
    const ids = [...case_.input_ids, ...case_.output_ids.slice(0, i)];
    for await (const { token } of engine.generate({ ...request, ids, maxTokens: 1 })) {
      kept.push(token === expected);
    }
  }
  return kept;
}
