import type { Gpu } from "../gpu/device.ts";
import { type Tensor, byteSize, ELEMENT_BYTES } from "../gpu/tensor.ts";
import type { WritableWeight } from "./allocate-weight.ts";
import type { StoredVector } from "./find-tensors.ts";
import type { FormatPart, StoredMatrix, StoredTensor, WeightFormat } from "./format.ts";
import type { WantedTensor } from "./load-tensors.ts";
import { packedKey } from "./packed-key.ts";
import type { TensorInfo } from "./safetensors.ts";
import type { WeightWriter } from "./weight-writer.ts";

/** How rows of a weight, or numbers of a vector, are filled. */
export interface Fill {
  /** As the model asked for it. */
  readonly name: string;
  /** The checkpoint's tensors. */
  readonly tensors: readonly StoredTensor[];
  /** Whether the checkpoint has the same matrix packed in another order of bytes. */
  readonly isRearranged: boolean;
  /** Whether that order takes longer to make than to read. */
  readonly isSlow: boolean;
  fromCheckpoint(writer: WeightWriter): readonly WantedTensor[];
  /** The same on the GPU. */
  readonly packed: PackedFill;
}

/** What a fill writes, once it is on the GPU. */
export interface PackedFill {
  /** Names the tensor, its format with the version, and the shape. */
  readonly key: string;
  readonly format: WeightFormat | undefined;
  readonly shape: readonly number[];
  /** Where the bytes of each part are, and last those of the columns' order, if they have one. */
  readonly parts: readonly (readonly GpuRange[])[];
  /** @param parts where these bytes are stored now */
  fromParts(parts: readonly TensorInfo[], writer: WeightWriter): readonly WantedTensor[];
}

/** Bytes of a tensor on the GPU. */
export interface GpuRange {
  readonly tensor: Tensor;
  readonly begin: number;
  readonly bytes: number;
}

/**
 * Fills the rows of a weight, from `firstRow` on, with a matrix of the checkpoint.
 *
 * @param name as the model asked for it
 */
export function matrixFill(
  name: string,
  weight: WritableWeight,
  firstRow: number,
  { shape, format: from, tensors, writeTo, isCopied = false, isSlow = false }: StoredMatrix,
): Fill {
  const { format } = weight;
  const [O, D] = shape;
  const [first] = tensors;
  const columns = weight.slices[0]?.columns;
  const parts = format.parts.map((part, i) => [...rangesOf(weight, part, i, firstRow, O)]);
  return {
    ...{ name, tensors, isRearranged: !from.elements && !isCopied, isSlow },
    fromCheckpoint: (writer) => withWrites(tensors, writeTo(writer.target(weight, firstRow))),
    packed: {
      key: packedKey(first!, format, shape),
      ...{ format, shape },
      parts: columns
        ? [...parts, [{ tensor: columns, begin: 0, bytes: D * ELEMENT_BYTES }]]
        : parts,
      fromParts(infos, writer) {
        const target = writer.target(weight, firstRow);
        return infos.map((info, i) => {
          const part = format.parts[i];
          return {
            ...{ name: first!.name, info, rows: part?.rowWords ? O : 1 },
            write: (first, _, bytes) =>
              part ? target.copy(i, first, bytes) : target.orderColumns(wordsOf(bytes)),
          };
        });
      },
    },
  };
}

/** Where rows `first ..< first + count` of a part are; or all of a part that belongs to the whole matrix. */
function* rangesOf(
  { shape: [, D], slices }: WritableWeight,
  layout: FormatPart,
  part: number,
  first: number,
  count: number,
): Generator<GpuRange> {
  const rowBytes = (layout.rowWords?.(D) ?? 0) * ELEMENT_BYTES;
  for (const slice of slices) {
    const tensor = slice.parts[part]!;
    if (layout.words) {
      yield { tensor, begin: 0, bytes: byteSize(tensor) };
      continue;
    }
    const begin = Math.max(first, slice.first);
    const end = Math.min(first + count, slice.first + slice.rows);
    if (begin >= end) continue;
    const bytes = (end - begin) * rowBytes;
    yield { tensor, begin: (begin - slice.first) * rowBytes, bytes };
  }
}

const wordsOf = (bytes: Uint8Array) => new Uint32Array(bytes.slice().buffer);

/**
 * Fills the numbers of a vector, from `offset` on, with a vector of the checkpoint.
 *
 * @param name as the model asked for it
 */
export function vectorFill(
  name: string,
  gpu: Gpu,
  tensor: Tensor,
  offset: number,
  { shape, tensors, writeTo }: StoredVector,
): Fill {
  const [first] = tensors;
  const bytes = byteSize({ shape });
  const write = (first: number, values: Uint8Array | Float32Array) =>
    gpu.write(tensor, values, offset + first);
  return {
    ...{ name, tensors, isRearranged: false, isSlow: false },
    fromCheckpoint: () => withWrites(tensors, writeTo(write)),
    packed: {
      key: packedKey(first!, undefined, shape),
      ...{ format: undefined, shape },
      parts: [[{ tensor, begin: offset * ELEMENT_BYTES, bytes }]],
      fromParts: ([info]) => [
        {
          ...{ name: first!.name, info: info!, rows: bytes / ELEMENT_BYTES },
          write: (first, _, values) => write(first, values),
        },
      ],
    },
  };
}

function withWrites(
  tensors: readonly StoredTensor[],
  writes: readonly WantedTensor["write"][],
): readonly WantedTensor[] {
  return tensors.map((tensor, t) => ({ ...tensor, write: writes[t]! }));
}
