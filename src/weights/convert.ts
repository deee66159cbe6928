import type { Gpu } from "../gpu/device.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { Fill, GpuRange, PackedFill } from "./fill.ts";
import {
  COLUMNS,
  type ConvertedMatrix,
  convertedConfig,
  convertedMatrix,
  partName,
} from "./formats/webvlm.ts";
import { INDEX, SINGLE } from "./read-files.ts";
import { SEAL_BYTES } from "./seal.ts";
import { readRanges } from "./store-packed.ts";

/** A file of a converted checkpoint. */
export interface ConvertedFile {
  readonly name: string;
  readonly bytes: number;
  /** Its bytes, in order. Throws the signal's reason. */
  read(signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/** A tensor of a converted checkpoint, and where it is on the GPU. */
interface Tensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly ranges: readonly GpuRange[];
}

/** A matrix or vector of a converted checkpoint, and where its parts are on the GPU. */
type Content = Pick<PackedFill, "format" | "shape" | "parts">;

const CHUNK_BYTES = 8 << 20;

/**
 * Makes the files of a checkpoint whose weights are as they lie on the GPU. They load like those of any
 * checkpoint.
 *
 * @param fills of weights that were loaded
 * @param format as the user calls it
 * @param shardBytes bytes of tensors in a weight file, unless one alone is larger
 * @throws Error when the checkpoint has rows of a matrix apart, in different formats
 */
export function convertedFiles(
  gpu: Gpu,
  checkpoint: Pick<Checkpoint, "id" | "files" | "stacked">,
  fills: readonly Fill[],
  format: string,
  shardBytes = 2 ** 31,
): ConvertedFile[] {
  const { id, files } = checkpoint;
  const matrices: Record<string, ConvertedMatrix> = {};
  const tensors = new Map<string, Tensor>();
  for (const [name, content] of contentsOf(checkpoint, fills)) {
    for (const tensor of tensorsOf(name, content)) tensors.set(tensor.name, tensor);
    const { format: own, shape } = content;
    if (own && !own.elements) matrices[name] = convertedMatrix(own, shape as [number, number]);
  }
  const shards = shardsOf([...tensors.values()], shardBytes);
  const names = shards.map((_, i) =>
    shards.length === 1 ? SINGLE : `model-${five(i + 1)}-of-${five(shards.length)}.safetensors`,
  );
  const config = {
    ...(files["config.json"] as object),
    // MLX's own settings, which say nothing any more.
    quantization: undefined,
    quantization_config: convertedConfig({ format, source: id, matrices }),
  };
  const index = {
    weight_map: Object.fromEntries(
      shards.flatMap((shard, i) => shard.map(({ name }) => [name, names[i]])),
    ),
  };
  const small = {
    ...files,
    "config.json": config,
    ...(shards.length > 1 && { [INDEX]: index }),
  };
  return [
    ...Object.entries(small).map(([name, content]) => smallFile(name, content)),
    ...shards.map((shard, i) => weightFile(gpu, names[i]!, shard)),
  ];
}

/**
 * The matrices and vectors by their names. What a GGUF file has in several tensors has the model's name,
 * the rest that of its tensor.
 */
function contentsOf(
  { id, stacked = new Map() }: Pick<Checkpoint, "id" | "stacked">,
  fills: readonly Fill[],
): Map<string, Content> {
  const contents = new Map<string, Content>();
  const wholes = new Map(
    [...stacked].flatMap(([whole, parts]) => parts.map((part) => [part, whole])),
  );
  const rows = new Map<string, Content[]>();
  for (const { name, tensors, packed } of fills) {
    const whole = wholes.get(name);
    if (whole === undefined) contents.set(tensors.length > 1 ? name : tensors[0]!.name, packed);
    else rows.set(whole, [...(rows.get(whole) ?? []), packed]);
  }
  for (const [name, parts] of rows) contents.set(name, below(id, name, parts));
  return contents;
}

/** Matrices one below the other, or vectors one behind the other. */
function below(id: string, name: string, contents: readonly Content[]): Content {
  const [{ format, shape, parts }] = contents as [Content];
  const formats = new Set(contents.map((content) => content.format));
  if (formats.size > 1) {
    const names = [...formats].map((one) => one?.name).join(" and ");
    throw new Error(
      `${id} can't be converted, because the rows of ${name} are in ${names}: load it as it is`,
    );
  }
  const rows = contents.reduce((sum, { shape: [count = 0] }) => sum + count, 0);
  return {
    format,
    shape: [rows, ...shape.slice(1)],
    parts: parts.map((_, i) => contents.flatMap((content) => content.parts[i]!)),
  };
}

function* tensorsOf(name: string, { format, shape, parts }: Content): Generator<Tensor> {
  if (!format || format.elements) {
    yield { name, dtype: format?.elements?.dtype ?? "F32", shape, ranges: parts.flat() };
    return;
  }
  const [O = 0, D = 0] = shape;
  for (const [i, ranges] of parts.entries()) {
    const part = format.parts[i] ?? COLUMNS;
    const words = part.rowWords ? [O, part.rowWords(D)] : [part.words(O, D)];
    yield { name: partName(name, part), dtype: "U32", shape: words, ranges };
  }
}

function shardsOf(tensors: readonly Tensor[], mostBytes: number): Tensor[][] {
  const shards: Tensor[][] = [];
  let bytes = Infinity;
  for (const tensor of tensors) {
    const size = sizeOf(tensor);
    if (bytes + size > mostBytes) {
      shards.push([]);
      bytes = 0;
    }
    shards.at(-1)!.push(tensor);
    bytes += size;
  }
  return shards;
}

function smallFile(name: string, content: unknown): ConvertedFile {
  const text = typeof content === "string" ? content : JSON.stringify(content, null, 1);
  const bytes = new TextEncoder().encode(text);
  return {
    ...{ name, bytes: bytes.length },
    async *read() {
      yield bytes;
    },
  };
}

function weightFile(gpu: Gpu, name: string, tensors: readonly Tensor[]): ConvertedFile {
  let end = 0;
  const entries = tensors.map((tensor) => {
    const begin = end;
    end += sizeOf(tensor);
    const { dtype, shape } = tensor;
    return [tensor.name, { dtype, shape, data_offsets: [begin, end] }] as const;
  });
  const json = JSON.stringify({
    __metadata__: { format: "webvlm" },
    ...Object.fromEntries(entries),
  });
  const text = new TextEncoder().encode(json + " ".repeat((8 - (json.length % 8)) % 8));
  const header = new Uint8Array(8 + text.length);
  new DataView(header.buffer).setBigUint64(0, BigInt(text.length), true);
  header.set(text, 8);
  return {
    ...{ name, bytes: header.length + end },
    async *read(signal) {
      yield header;
      const ranges = tensors.flatMap((tensor) => tensor.ranges);
      for await (const chunk of readRanges(gpu, ranges, CHUNK_BYTES, signal)) {
        yield chunk.subarray(0, -SEAL_BYTES);
      }
    },
  };
}

function sizeOf({ ranges }: Tensor): number {
  return ranges.reduce((sum, { bytes }) => sum + bytes, 0);
}

const five = (number: number): string => `${number}`.padStart(5, "0");
