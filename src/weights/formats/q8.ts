import type { FormatReference, QuantizationFormat } from "../format.ts";
import { floorBf16, fromBf16, roundToEven } from "../half-floats.ts";
import packer from "./pack-q8.wgsl?raw";
import code from "./q8.wgsl?raw";

const BLOCK = 32;
const blocks = (D: number) => Math.ceil(D / BLOCK);

/**
 * Nine-bit codes in blocks of 32 weights, each block with a scale and a least value in bf16: ten
 * bits per weight. Codes of eight bits in blocks of 16 would take as many bits, and their error
 * would be half as large again.
 */
export const q8: QuantizationFormat<"q8"> = {
  name: "q8",
  summary: "less than a third, nearly as good",
  code,
  constants: {},
  blockSize: BLOCK,
  // A row is filled up to whole blocks.
  rowMultiple: 4,
  parts: [
    { name: "q8", dtype: "u32", rowWords: (D) => blocks(D) * (BLOCK / 4) },
    { name: "block", dtype: "u32", rowWords: (D) => blocks(D) * 2 },
  ],
  packer: { code: packer, rowUnits: blocks },
};

export const q8Reference: FormatReference = { pack, unpack };

function pack(values: Float32Array, D: number): Uint32Array[] {
  const O = values.length / D;
  const rowBlocks = blocks(D);
  const packed = new Uint32Array(O * rowBlocks * 8);
  const perBlock = new Uint32Array(O * rowBlocks * 2);
  for (let o = 0; o < O; o++) {
    for (let b = 0; b < rowBlocks; b++) {
      const at = o * rowBlocks + b;
      const weights = values.subarray(o * D + b * BLOCK, o * D + Math.min((b + 1) * BLOCK, D));
      const low = weights.reduce((least, w) => Math.min(least, w), Infinity);
      const high = weights.reduce((most, w) => Math.max(most, w), -Infinity);
      const biasBits = floorBf16(low);
      const bias = fromBf16(biasBits);
      const step = Math.fround(Math.fround(high - bias) * Math.fround(1 / 511));
      const scaleBits = floorBf16(-step) & 0x7fff;
      const scale = fromBf16(scaleBits);
      const inverse = scale >= 2 ** -126 ? Math.fround(1 / scale) : 0;
      weights.forEach((w, i) => {
        const steps = Math.fround(Math.fround(w - bias) * inverse);
        const q = Math.min(roundToEven(steps), 511);
        const word = at * 8 + (i >> 2);
        if (i % 4 < 3) {
          packed[word]! |= q << (9 * (i % 4));
        } else {
          packed[word]! |= (q >> 4) << 27;
          perBlock[at * 2]! |= (q & 15) << (i & 28);
        }
      });
      perBlock[at * 2 + 1] = scaleBits + biasBits * 2 ** 16;
    }
  }
  return [packed, perBlock];
}

function unpack(
  [packed = new Uint32Array(), perBlock = new Uint32Array()]: readonly Uint32Array[],
  [O, D]: readonly [O: number, D: number],
): Float32Array {
  const values = new Float32Array(O * D);
  for (let o = 0; o < O; o++) {
    for (let k = 0; k < D; k++) {
      const block = o * blocks(D) + Math.floor(k / BLOCK);
      const word = packed[block * 8 + ((k % BLOCK) >> 2)]!;
      const [nibbles, pair] = [perBlock[2 * block]!, perBlock[2 * block + 1]!];
      const fourth = ((word >>> 27) << 4) | ((nibbles >>> (k & 28)) & 15);
      const q = k % 4 === 3 ? fourth : (word >>> (9 * (k % 4))) & 511;
      values[o * D + k] = fromBf16(pair & 0xffff) * q + fromBf16(pair >>> 16);
    }
  }
  return values;
}
