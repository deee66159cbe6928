import type { Gpu } from "../gpu/device.ts";
import { type Tensor, byteSize, ELEMENT_BYTES } from "../gpu/tensor.ts";
import type { WritableWeight } from "./allocate-weight.ts";
import type { StoredVector } from "./find-tensors.ts";
import { partWords, type StoredMatrix, type StoredTensor, type WeightFormat } from "./format.ts";
import type { WantedTensor } from "./load-tensors.ts";
import { packedKey } from "./packed-key.ts";
import type { TensorInfo } from "./safetensors.ts";
import type { WeightWriter } from "./weight-writer.ts";

/** How rows of a weight, or numbers of a vector, are filled. */
export interface Fill {
  /** The checkpoint's tensors. */
  readonly tensors: readonly StoredTensor[];
  fromCheckpoint(writer: WeightWriter): readonly WantedTensor[];
  /** The same on the GPU. Undefined for a matrix that is packed in the checkpoint, and stays so. */
  readonly packed?: PackedFill | undefined;
}

/** What a fill writes, once it is on the GPU. */
export interface PackedFill {
  /** Names the tensor, its format with the version, and the shape. */
  readonly key: string;
  readonly format: WeightFormat | undefined;
  readonly shape: readonly number[];
  /** Where the bytes of each part are. */
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

/** Fills the rows of a weight, from `firstRow` on, with a matrix of the checkpoint. */
export function matrixFill(
  weight: WritableWeight,
  firstRow: number,
  { shape, format: from, tensors, writeTo }: StoredMatrix,
): Fill {
  const { format } = weight;
  const [O, D] = shape;
  const [first] = tensors;
  return {
    tensors,
    fromCheckpoint: (writer) => withWrites(tensors, writeTo(writer.target(weight, firstRow))),
    packed:
      from.elements && first
        ? {
            key: packedKey(first, format, shape),
            ...{ format, shape },
            parts: format.parts.map((_, part) => [...rangesOf(weight, part, firstRow, O)]),
            fromParts(parts, writer) {
              const target = writer.target(weight, firstRow);
              return parts.map((info, part) => ({
                ...{ name: first.name, info, rows: O },
                write: (first, _, bytes) => target.copy(part, first, bytes),
              }));
            },
          }
        : undefined,
  };

  function* rangesOf(
    { slices }: WritableWeight,
    part: number,
    first: number,
    count: number,
  ): Generator<GpuRange> {
    const rowBytes = partWords(format.parts[part]!, 1, D) * ELEMENT_BYTES;
    for (const slice of slices) {
      const begin = Math.max(first, slice.first);
      const end = Math.min(first + count, slice.first + slice.rows);
      if (begin >= end) continue;
      const bytes = (end - begin) * rowBytes;
      yield { tensor: slice.parts[part]!, begin: (begin - slice.first) * rowBytes, bytes };
    }
  }
}

/** Fills the numbers of a vector, from `offset` on, with a vector of the checkpoint. */
export function vectorFill(
  gpu: Gpu,
  tensor: Tensor,
  offset: number,
  { shape, tensors, writeTo }: StoredVector,
): Fill {
  const [first] = tensors;
  const bytes = byteSize({ shape });
  return {
    tensors,
    fromCheckpoint: () =>
      withWrites(
        tensors,
        writeTo((first, values) => gpu.write(tensor, values, offset + first)),
      ),
    packed:
      tensors.length === 1 && first
        ? {
            key: packedKey(first, undefined, shape),
            ...{ format: undefined, shape },
            parts: [[{ tensor, begin: offset * ELEMENT_BYTES, bytes }]],
            fromParts: ([info]) => [
              {
                ...{ name: first.name, info: info!, rows: bytes / ELEMENT_BYTES },
                write: (first, _, values) => gpu.write(tensor, values, offset + first),
              },
            ],
          }
        : undefined,
  };
}

function withWrites(
  tensors: readonly StoredTensor[],
  writes: readonly WantedTensor["write"][],
): readonly WantedTensor[] {
  return tensors.map((tensor, t) => ({ ...tensor, write: writes[t]! }));
}
