import type { FormatReference, WeightFormat } from "../format.ts";
import { fromBf16, fromF16, toBf16, toF16 } from "../half-floats.ts";
import { codeAt, codeWords, putCode } from "./codes.ts";
import codes from "./codes.wgsl?raw";
import type { HalfType } from "./float-halves.ts";
import code from "./int.wgsl?raw";
import { memoized } from "./packed-tensors.ts";
import zeroCode from "./zero.wgsl?raw";
import zerosCode from "./zeros.wgsl?raw";

/** Where a weight of 0 is among the codes: in their middle, or stored for each group. */
export type Zeros = "middle" | "stored";

/**
 * Integers: codes of `bits` bits, each group of weights with a scale in 16 bits and the code of 0, which
 * is exact where the least value `-s z` would take more than 16 bits.
 *
 * @param bits 4 or 8
 * @param group weights that share a scale, a multiple of 8; the last group of a row may be shorter
 * @param type of the scales
 */
export const intFormat = memoized(
  (bits: number, group: number, type: HalfType, zeros: Zeros): WeightFormat => {
    const groups = (D: number) => Math.ceil(D / group);
    const isStored = zeros === "stored";
    return {
      name: "int",
      code: codes + (isStored ? zerosCode : zeroCode) + code,
      constants: {
        BITS: bits,
        GROUP: group,
        IS_F16: Number(type === "F16"),
        ...(!isStored && { ZERO: 2 ** (bits - 1) }),
      },
      blockSize: group,
      // Kernels read eight weights at a time.
      rowMultiple: 8,
      parts: [
        { name: "codes", dtype: "u32", rowWords: (D) => codeWords(D, bits) },
        { name: "scales", dtype: "u32", rowWords: (D) => Math.ceil(groups(D) / 2) },
        ...(isStored
          ? [
              {
                name: "zeros",
                dtype: "u32" as const,
                rowWords: (D: number) => codeWords(groups(D), bits),
              },
            ]
          : []),
      ],
    };
  },
);

/** Parts of `intFormat`. */
export const [CODES, SCALES, ZEROS] = [0, 1, 2];

export const intReference: FormatReference = { pack, unpack };

interface Constants {
  readonly BITS: number;
  readonly GROUP: number;
  readonly IS_F16: number;
  readonly ZERO?: number;
}

function pack(values: Float32Array, D: number, { constants }: WeightFormat): Uint32Array[] {
  const { BITS: bits, GROUP: group, IS_F16, ZERO } = constants as unknown as Constants;
  const [to, from] = IS_F16 ? [toF16, fromF16] : [toBf16, fromBf16];
  const O = values.length / D;
  const groups = Math.ceil(D / group);
  const scaleWords = Math.ceil(groups / 2);
  const words = new Uint32Array(O * codeWords(D, bits));
  const scales = new Uint32Array(O * scaleWords);
  const zeros = new Uint32Array(O * codeWords(groups, bits));
  for (let o = 0; o < O; o++) {
    for (let g = 0; g < groups; g++) {
      const weights = values.subarray(o * D + g * group, o * D + Math.min((g + 1) * group, D));
      const low = Math.min(0, ...weights);
      const high = Math.max(0, ...weights);
      const span = ZERO === undefined ? high - low : 2 * Math.max(-low, high);
      const scaleBits = to(span / (2 ** bits - 1));
      const scale = from(scaleBits) || 1;
      const zero = ZERO ?? Math.min(Math.round(-low / scale), 2 ** bits - 1);
      putCode(scales, o * scaleWords, g, 16, scaleBits);
      putCode(zeros, o * codeWords(groups, bits), g, bits, zero);
      weights.forEach((weight, i) => {
        const q = Math.min(Math.max(Math.round(weight / scale) + zero, 0), 2 ** bits - 1);
        putCode(words, o * codeWords(D, bits), g * group + i, bits, q);
      });
    }
  }
  return [words, scales, ...(ZERO === undefined ? [zeros] : [])];
}

function unpack(
  [words = new Uint32Array(), scales = new Uint32Array(), zeros]: readonly Uint32Array[],
  [O, D]: readonly [O: number, D: number],
  { constants }: WeightFormat,
): Float32Array {
  const { BITS: bits, GROUP: group, IS_F16, ZERO = 0 } = constants as unknown as Constants;
  const from = IS_F16 ? fromF16 : fromBf16;
  const groups = Math.ceil(D / group);
  const scaleWords = Math.ceil(groups / 2);
  return Float32Array.from({ length: O * D }, (_, at) => {
    const o = Math.floor(at / D);
    const g = Math.floor((at % D) / group);
    const q = codeAt(words, o * codeWords(D, bits), at % D, bits);
    const zero = zeros ? codeAt(zeros, o * codeWords(groups, bits), g, bits) : ZERO;
    return from(codeAt(scales, o * scaleWords, g, 16)) * (q - zero);
  });
}
