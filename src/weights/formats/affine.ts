import type { FormatReference, QuantizationFormat, WeightFormat } from "../format.ts";
import { floorBf16, fromBf16, fromF16, roundToEven, toBf16 } from "../half-floats.ts";
import affine from "./affine.wgsl?raw";
import { codeAt, codeWords, putCode } from "./codes.ts";
import codes from "./codes.wgsl?raw";
import packer from "./pack-affine.wgsl?raw";

/** WGSL that decodes codes of BITS bits in groups of GROUP weights. */
export const affineCode = codes + affine;

/** What tells affine formats apart. */
interface AffineConstants {
  /** Of a code. */
  readonly BITS: number;
  /** Weights that share a scale and a bias. */
  readonly GROUP: number;
  /** 1 if scales and biases are f16; 0 if they are bf16. */
  readonly IS_F16: number;
}

/**
 * Codes of `bits` bits, each group of weights with a scale and a bias in bf16. All rows can be packed in
 * it.
 *
 * @param bits 4, 6 or 8
 * @param group 32 or 64
 */
export function affineFormat<Name extends string>(
  bits: number,
  group: number,
  named: Pick<
    QuantizationFormat<Name>,
    "name" | "summary" | "version" | "rowMultiple" | "fallback"
  >,
): QuantizationFormat<Name> {
  const groups = (D: number) => Math.ceil(D / group);
  return {
    ...named,
    code: affineCode,
    hasLines: true,
    constants: { BITS: bits, GROUP: group, IS_F16: 0 },
    blockSize: group,
    parts: [
      { name: "codes", dtype: "u32", rowWords: (D) => codeWords(D, bits) },
      { name: "affine", dtype: "u32", rowWords: groups },
    ],
    packer: { code: packer, rowUnits: groups },
  };
}

export const affineReference: FormatReference = { pack, unpack: unpackAffine };

const constantsOf = ({ constants }: Pick<WeightFormat, "constants">) =>
  constants as unknown as AffineConstants;

/** A line s q + b, whose numbers are bfloat16. */
type Line = readonly [scaleBits: number, biasBits: number];

/** As pack-affine.wgsl, bit for bit. */
function pack(values: Float32Array, D: number, format: WeightFormat): Uint32Array[] {
  const { BITS: bits, GROUP: group } = constantsOf(format);
  const O = values.length / D;
  const most = 2 ** bits - 1;
  const [rowWords, groups] = [codeWords(D, bits), Math.ceil(D / group)];
  const words = new Uint32Array(O * rowWords);
  const pairs = new Uint32Array(O * groups);
  for (let at = 0; at < pairs.length; at++) {
    const [o, begin] = [Math.floor(at / groups), (at % groups) * group];
    const weights = values.subarray(o * D + begin, o * D + Math.min(begin + group, D));
    const [scaleBits, biasBits] = bits === 8 ? covering(weights, most) : searched(weights, bits);
    pairs[at] = scaleBits + biasBits * 2 ** 16;
    const [scale, bias] = [fromBf16(scaleBits), fromBf16(biasBits)];
    const inverse = scale >= 2 ** -126 ? Math.fround(1 / scale) : 0;
    weights.forEach((w, i) => {
      const steps = Math.fround(Math.fround(w - bias) * inverse);
      const q = Math.min(Math.max(roundToEven(steps), 0), most);
      putCode(words, o * rowWords, begin + i, bits, q);
    });
  }
  return [words, pairs];
}

const f = Math.fround;
const least = (weights: Float32Array) => weights.reduce((a, b) => Math.min(a, b), Infinity);
const largest = (weights: Float32Array) => weights.reduce((a, b) => Math.max(a, b), -Infinity);

/** The line from the least to the largest weight. */
function covering(weights: Float32Array, most: number): Line {
  const biasBits = floorBf16(least(weights));
  const step = f(f(largest(weights) - fromBf16(biasBits)) * f(1 / most));
  return [floorBf16(-step) & 0x7fff, biasBits];
}

const OFFSETS = [-0.9, -0.4, 0.1, 0.6];

/** The best of several lines, each fitted to the codes that a scale gives. */
function searched(weights: Float32Array, bits: number): Line {
  const most = 2 ** bits - 1;
  const fine = most << (12 - bits);
  const low = least(weights);
  const range = f(largest(weights) - low);
  const unit = f(range * f(1 / fine));
  const inverse = range >= 2 ** -100 ? f(fine / range) : 0;
  const steps = Array.from(weights, (w) => roundToEven(f(f(w - low) * inverse)));
  const stepSum = sum(steps);
  const count = weights.length;
  let best = { covariance: 0, variance: 1, scale: f(range * f(1 / most)), codeSum: 0 };
  for (const offset of OFFSETS) {
    const factor = roundToEven(f(f(most + f(offset)) * f(2 ** 20 / fine)));
    const codes = steps.map((step) => Math.min((step * factor + 2 ** 19) >>> 20, most));
    const codeSum = sum(codes);
    const products = sum(codes.map((q, i) => q * steps[i]!));
    const covariance = (count * products - stepSum * codeSum) >>> 7;
    const variance = count * sum(codes.map((q) => q * q)) - codeSum ** 2;
    const explained = f(f(covariance * covariance) * best.variance);
    if (explained <= f(f(best.covariance * best.covariance) * variance)) continue;
    const scale = f(unit * f(f(covariance / variance) * 128));
    best = { covariance, variance, scale, codeSum };
  }
  const scaleBits = toBf16(best.scale);
  const rest = f(f(unit * stepSum) - f(fromBf16(scaleBits) * best.codeSum));
  return [scaleBits, toBf16(f(low + f(rest * f(1 / count))))];
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** @returns `[O, D]` */
export function unpackAffine(
  [words = new Uint32Array(), pairs = new Uint32Array()]: readonly Uint32Array[],
  [O, D]: readonly [O: number, D: number],
  format: Pick<WeightFormat, "constants">,
): Float32Array {
  const { BITS: bits, GROUP: group, IS_F16 } = constantsOf(format);
  const from = IS_F16 ? fromF16 : fromBf16;
  const groups = Math.ceil(D / group);
  return Float32Array.from({ length: O * D }, (_, at) => {
    const o = Math.floor(at / D);
    const k = at - o * D;
    const pair = pairs[o * groups + Math.floor(k / group)]!;
    return from(pair & 0xffff) * codeAt(words, o * codeWords(D, bits), k, bits) + from(pair >>> 16);
  });
}
