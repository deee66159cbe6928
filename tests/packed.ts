import { ELEMENT_BYTES } from "../src/gpu/tensor.ts";
import type { Checkpoint } from "../src/weights/checkpoint.ts";
import { findMatrix } from "../src/weights/find-tensors.ts";
import { partWords, type RowTarget, rowBytes, type StoredMatrix } from "../src/weights/format.ts";
import { loadTensors } from "../src/weights/load-tensors.ts";
import { type PackedMatrix, packedCheckpoint } from "./packed-checkpoint.ts";
import matrices from "./packed-matrices.json";
import { referenceOf } from "./weight-formats.ts";

/** Matrices of published layouts, from files that other tools wrote. */
export const PACKED_MATRICES = matrices as unknown as readonly PackedMatrix[];

/** A matrix of a checkpoint, as the GPU would hold it, decoded on the CPU. */
export interface DecodedMatrix {
  readonly format: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
  /** Of all parts, on the GPU. */
  readonly gpuBytes: number;
  /** Of the tensors in the file. */
  readonly fileBytes: number;
}

/** Reads a matrix as the loader does, but to the CPU. */
export async function decodeMatrix(
  matrix: PackedMatrix,
  order?: "reversed",
): Promise<DecodedMatrix> {
  const [decoded] = await decodeMatrices(packedCheckpoint([matrix], order), [
    { name: matrix.name, D: matrix.shape[1] },
  ]);
  return decoded!;
}

/**
 * Reads matrices as the loader does, in one pass over the files, but to the CPU.
 *
 * @param matrices each with its name, and the width of its layer's input
 * @param storedNames the names that a tensor may have in the checkpoint
 */
export async function decodeMatrices(
  checkpoint: Pick<Checkpoint, "id" | "files" | "tensors" | "formats" | "stream">,
  matrices: readonly { readonly name: string; readonly D: number }[],
  storedNames = (name: string): readonly string[] => [name],
): Promise<DecodedMatrix[]> {
  const collected = matrices.map(({ name, D }) => {
    const matrix = findMatrix({ checkpoint, storedNames }, name, D);
    return { matrix, ...collect(matrix) };
  });
  await loadTensors(
    checkpoint,
    collected.flatMap(({ matrix, target }) => {
      const writes = matrix.writeTo(target);
      return matrix.tensors.map((tensor, i) => ({ ...tensor, write: writes[i]! }));
    }),
  );
  return collected.map(({ matrix: { format, shape, tensors }, parts, columns }) => {
    const words = parts.map(({ buffer }) => new Uint32Array(buffer));
    const values = referenceOf(format).unpack(words, shape, format);
    return {
      format: format.name,
      shape,
      values: columns.length > 0 ? inOrder(values, columns) : values,
      gpuBytes: parts.reduce((sum, { length }) => sum + length, ELEMENT_BYTES * columns.length),
      fileBytes: tensors.reduce((sum, { info }) => sum + info.end - info.begin, 0),
    };
  });
}

/** What a matrix is written to, the bytes of its parts, and the order of its columns. */
function collect({ shape: [O, D], format }: StoredMatrix): {
  target: RowTarget;
  parts: Uint8Array<ArrayBuffer>[];
  columns: number[];
} {
  const parts = format.parts.map((part) => new Uint8Array(partWords(part, O, D) * ELEMENT_BYTES));
  const columns: number[] = [];
  const target: RowTarget = {
    async copy(part, first, bytes) {
      const rowWords = format.parts[part]!.rowWords?.(D) ?? 0;
      parts[part]!.set(bytes, first * rowWords * ELEMENT_BYTES);
    },
    orderColumns(order) {
      columns.push(...order);
    },
    async pack(first, _, bytes, source) {
      if (source !== format) throw new Error(`${source.name} would be packed to ${format.name}`);
      parts[0]!.set(bytes, first * rowBytes(format, D));
    },
  };
  return { target, parts, columns };
}

/** @returns `values` with column k moved to column `columns[k]` */
function inOrder(values: Float32Array, columns: readonly number[]): Float32Array {
  const D = columns.length;
  const ordered = new Float32Array(values.length);
  values.forEach((value, i) => (ordered[i - (i % D) + columns[i % D]!] = value));
  return ordered;
}
