import { ELEMENT_BYTES } from "../../gpu/tensor.ts";
import type { FormatPart, FormatReference, RowTarget, WeightFormat, WriteRows } from "../format.ts";

/** A type of GGUF files: consecutive weights of a row are a block of bytes. */
export interface GgmlBlocks {
  readonly type: GgmlType;
  /** Weights in a block. */
  readonly values: number;
  readonly bytes: number;
  /**
   * Where a half float begins that is stored apart on the GPU, because the bytes of a block are no
   * multiple of 4. Absent where the blocks stay as they are.
   */
  readonly scaleAt?: number;
}

/** The packed types that can be read, in GGUF's spelling. */
export type GgmlType = "Q4_0" | "Q4_1" | "Q5_0" | "Q5_1" | "Q8_0" | "Q4_K" | "Q5_K" | "Q6_K";

/** A format that keeps the blocks of a GGUF file. */
export interface GgmlFormat extends WeightFormat<Lowercase<GgmlType>> {
  readonly blocks: GgmlBlocks;
}

/** A block on the CPU; `view` has its bytes as in the file. */
export interface BlockCodec {
  decode(view: DataView): Float32Array;
  /** Chooses codes simply: half a step from the values, no further. */
  encode(values: Float32Array, view: DataView): void;
}

/**
 * @param code WGSL. The first binding is the blocks' words, and the second one, where a scale is
 *   stored apart, two scales to a word.
 */
export function ggmlFormat(
  blocks: GgmlBlocks,
  code: string,
  constants: Readonly<Record<string, number>> = {},
): GgmlFormat {
  const { type, values, bytes, scaleAt } = blocks;
  const scaleBytes = scaleAt === undefined ? 0 : 2;
  const words = (bytes - scaleBytes) / ELEMENT_BYTES;
  const parts: FormatPart[] = [
    { name: type, dtype: "u32", rowWords: (D) => (D / values) * words },
    { name: "scales", dtype: "u32", rowWords: (D) => Math.ceil(D / values / 2) },
  ];
  return {
    name: type.toLowerCase() as Lowercase<GgmlType>,
    code,
    constants,
    blockSize: values,
    rowMultiple: values,
    parts: scaleBytes ? parts : parts.slice(0, 1),
    blocks,
  };
}

/**
 * Begins to load rows of D weights.
 *
 * @returns what the rows' bytes are passed to, as they are in the file
 */
export function writeBlocks(target: RowTarget, D: number, blocks: GgmlBlocks): WriteRows {
  if (blocks.scaleAt === undefined) return (first, _, rows) => target.copy(0, first, rows);
  return async (first, count, rows) => {
    const [words, scales] = splitBlocks(rows, count, D / blocks.values, blocks);
    await target.copy(0, first, words);
    await target.copy(1, first, scales);
  };
}

/** Takes the scales out of blocks. Each row of scales is filled up to a multiple of 4 bytes. */
function splitBlocks(
  rows: Uint8Array,
  count: number,
  rowBlocks: number,
  { bytes, scaleAt = 0 }: GgmlBlocks,
): [words: Uint8Array, scales: Uint8Array] {
  const halves = halvesOf(rows);
  const size = bytes / 2;
  const words = new Uint16Array(count * rowBlocks * (size - 1));
  const scaleRow = Math.ceil(rowBlocks / 2) * 2;
  const scales = new Uint16Array(count * scaleRow);
  let [from, to] = [0, 0];
  for (let row = 0; row < count; row++) {
    for (let block = 0; block < rowBlocks; block++) {
      const scale = from + scaleAt / 2;
      const end = from + size;
      scales[row * scaleRow + block] = halves[scale]!;
      while (from < scale) words[to++] = halves[from++]!;
      for (from = scale + 1; from < end;) words[to++] = halves[from++]!;
    }
  }
  return [new Uint8Array(words.buffer), new Uint8Array(scales.buffer)];
}

/** A view of the bytes, or of a copy where they begin at an odd place. */
function halvesOf(bytes: Uint8Array): Uint16Array {
  const { buffer, byteOffset, length } = bytes.byteOffset % 2 ? bytes.slice() : bytes;
  return new Uint16Array(buffer, byteOffset, length / 2);
}

/** A reference that decodes and encodes block by block. */
export function ggmlReference({ decode, encode }: BlockCodec): FormatReference {
  return {
    pack(values, D, format) {
      const { blocks } = format as GgmlFormat;
      const rowBlocks = D / blocks.values;
      const O = values.length / D;
      const rows = new Uint8Array(O * rowBlocks * blocks.bytes);
      for (let b = 0; b < O * rowBlocks; b++) {
        const view = new DataView(rows.buffer, b * blocks.bytes, blocks.bytes);
        encode(values.subarray(b * blocks.values, (b + 1) * blocks.values), view);
      }
      if (blocks.scaleAt === undefined) return [new Uint32Array(rows.buffer)];
      return splitBlocks(rows, O, rowBlocks, blocks).map(({ buffer }) => new Uint32Array(buffer));
    },

    unpack(parts, [O, D], format) {
      const { blocks } = format as GgmlFormat;
      const rowBlocks = D / blocks.values;
      const bytes = joinBlocks(parts, O, rowBlocks, blocks);
      const values = new Float32Array(O * D);
      for (let b = 0; b < O * rowBlocks; b++) {
        const view = new DataView(bytes.buffer, b * blocks.bytes, blocks.bytes);
        values.set(decode(view), b * blocks.values);
      }
      return values;
    },
  };
}

/** What `splitBlocks` was given. */
function joinBlocks(
  [words = new Uint32Array(), scales = new Uint32Array()]: readonly Uint32Array[],
  count: number,
  rowBlocks: number,
  { bytes, scaleAt }: GgmlBlocks,
): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(words.slice().buffer);
  if (scaleAt === undefined) return all;
  const halves = new Uint8Array(scales.slice().buffer);
  const rows = new Uint8Array(count * rowBlocks * bytes);
  for (let b = 0; b < count * rowBlocks; b++) {
    const block = all.subarray(b * (bytes - 2), (b + 1) * (bytes - 2));
    rows.set(block.subarray(0, scaleAt), b * bytes);
    const row = Math.floor(b / rowBlocks);
    const half = row * Math.ceil(rowBlocks / 2) * 2 + (b % rowBlocks);
    rows.set(halves.subarray(2 * half, 2 * half + 2), b * bytes + scaleAt);
    rows.set(block.subarray(scaleAt), b * bytes + scaleAt + 2);
  }
  return rows;
}
