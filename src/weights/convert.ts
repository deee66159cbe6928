import type { Gpu } from "../gpu/device.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { Fill, GpuRange, PackedFill } from "./fill.ts";
import { type ConvertedMatrix, convertedConfig, partName } from "./formats/webvlm.ts";
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

const CHUNK_BYTES = 8 << 20;

/**
 * Makes the files of a checkpoint whose weights are as they lie on the GPU. They load like those of any
 * checkpoint.
 *
 * @param fills of weights that were loaded
 * @param format as the user calls it
 * @param shardBytes bytes of tensors in a weight file, unless one alone is larger
 * @throws Error when the checkpoint's matrices are packed already
 */
export function convertedFiles(
  gpu: Gpu,
  { id, files }: Pick<Checkpoint, "id" | "files">,
  fills: readonly Fill[],
  format: string,
  shardBytes = 2 ** 31,
): ConvertedFile[] {
  const matrices: Record<string, ConvertedMatrix> = {};
  const tensors = new Map<string, Tensor>();
  for (const {
    tensors: [stored],
    packed,
  } of fills) {
    if (!packed || !stored) throw new Error(`${id} is quantized already: it loads as it is`);
    for (const tensor of tensorsOf(stored.name, packed)) tensors.set(tensor.name, tensor);
    const { format: own, shape } = packed;
    if (!own || own.elements) continue;
    const { name, version = 1 } = own;
    matrices[stored.name] = { format: name, version, shape: shape as ConvertedMatrix["shape"] };
  }
  const shards = shardsOf([...tensors.values()], shardBytes);
  const names = shards.map((_, i) =>
    shards.length === 1 ? SINGLE : `model-${five(i + 1)}-of-${five(shards.length)}.safetensors`,
  );
  const config = {
    ...(files["config.json"] as object),
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

function* tensorsOf(name: string, { format, shape, parts }: PackedFill): Generator<Tensor> {
  if (!format || format.elements) {
    yield { name, dtype: format?.elements?.dtype ?? "F32", shape, ranges: parts.flat() };
    return;
  }
  for (const [i, part] of format.parts.entries()) {
    const [O = 0, D = 0] = shape;
    const words = [O, part.rowWords?.(D) ?? 0];
    yield { name: partName(name, part), dtype: "U32", shape: words, ranges: parts[i]! };
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
