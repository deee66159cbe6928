import type { FormatReference, QuantizationFormat, WeightFormat } from "../format.ts";
import { fromF16, roundToEven, toF16 } from "../half-floats.ts";
import packer from "./pack-q4.wgsl?raw";
import code from "./q4.wgsl?raw";
import { q8 } from "./q8.ts";

/** Four-bit codes in blocks of 32 weights: five bits per weight. */
export const q4 = q4InBlocksOf(32);

/**
 * Four-bit codes, each block of weights with a scale and a least value in f16.
 *
 * @param blockSize 32 or 64
 */
export function q4InBlocksOf(blockSize: 32 | 64): QuantizationFormat<"q4"> {
  const blocks = (D: number) => Math.ceil(D / blockSize);
  return {
    name: "q4",
    summary: "less than a sixth, least memory",
    code,
    constants: { BLOCK: blockSize },
    blockSize,
    // Kernels read eight weights, one word, at a time.
    rowMultiple: 8,
    fallback: q8,
    parts: [
      { name: "q4", dtype: "u32", rowWords },
      { name: "affine", dtype: "u32", rowWords: blocks },
    ],
    packer: { code: packer, rowUnits: blocks },
  };
}

/** Words of the codes of a row, which is filled up to a multiple of 32 weights. */
function rowWords(D: number): number {
  return Math.ceil(D / 32) * 4;
}

export const q4Reference: FormatReference = { pack, unpack };

function pack(values: Float32Array, D: number, { blockSize }: WeightFormat): Uint32Array[] {
  const O = values.length / D;
  const rowBlocks = Math.ceil(D / blockSize);
  const codes = new Uint32Array(O * rowWords(D));
  const affine = new Uint32Array(O * rowBlocks);
  for (let o = 0; o < O; o++) {
    for (let b = 0; b < rowBlocks; b++) {
      const begin = o * D + b * blockSize;
      const weights = values.subarray(begin, Math.min(begin + blockSize, (o + 1) * D));
      const low = weights.reduce((least, w) => Math.min(least, w), Infinity);
      const high = weights.reduce((most, w) => Math.max(most, w), -Infinity);
      const scaleBits = toF16(Math.fround(Math.fround(high - low) * Math.fround(1 / 15)));
      const biasBits = toF16(low);
      affine[o * rowBlocks + b] = scaleBits + biasBits * 2 ** 16;
      const inverse = fromF16(scaleBits) > 0 ? Math.fround(1 / fromF16(scaleBits)) : 0;
      weights.forEach((w, i) => {
        const steps = Math.fround(Math.fround(w - fromF16(biasBits)) * inverse);
        const q = Math.min(Math.max(roundToEven(steps), 0), 15);
        const k = b * blockSize + i;
        codes[o * rowWords(D) + (k >> 3)]! |= q << ((k & 7) * 4);
      });
    }
  }
  return [codes, affine];
}

function unpack(
  [codes = new Uint32Array(), affine = new Uint32Array()]: readonly Uint32Array[],
  [O, D]: readonly [O: number, D: number],
  { blockSize }: WeightFormat,
): Float32Array {
  const values = new Float32Array(O * D);
  const rowBlocks = Math.ceil(D / blockSize);
  for (let o = 0; o < O; o++) {
    for (let k = 0; k < D; k++) {
      const q = (codes[o * rowWords(D) + (k >> 3)]! >>> ((k & 7) * 4)) & 15;
      const pair = affine[o * rowBlocks + Math.floor(k / blockSize)]!;
      values[o * D + k] = fromF16(pair & 0xffff) * q + fromF16(pair >>> 16);
    }
  }
  return values;
}
