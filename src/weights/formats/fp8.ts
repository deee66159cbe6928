import type { FormatReference, StoredMatrix, WeightFormat } from "../format.ts";
import code from "./fp8.wgsl?raw";
import { expectShape, type FindMatrix, memoized, pathOf } from "./packed-tensors.ts";
import { ELEMENT_FORMATS } from "./registry.ts";

/** Rows, and columns, of a block where config.json does not say. */
const BLOCK = 128;

/**
 * Eight-bit floats (e4m3, arXiv 2209.05433). Each row has a scale in f32 for every `block` weights.
 *
 * @param block a multiple of 8
 */
export const fp8Format = memoized((block: number): WeightFormat => {
  return {
    name: "fp8",
    code,
    constants: { BLOCK: block },
    blockSize: block,
    rowMultiple: 4,
    parts: [
      { name: "codes", dtype: "u32", rowWords: (D) => D / 4 },
      { name: "scales", dtype: "f32", rowWords: (D) => Math.ceil(D / block) },
    ],
  };
});

/** Sizes of a block: fp8's own field, and that of compressed-tensors. */
interface Config {
  readonly weight_block_size?: readonly number[] | null;
  readonly config_groups?: Readonly<
    Record<
      string,
      { readonly weights?: { readonly block_structure?: readonly number[] | null } | null }
    >
  >;
}

/**
 * `weight` F8_E4M3 `[O, D]` with `weight_scale_inv`, a factor for each block of rows and columns, or
 * with `weight_scale`: the same, or one for each row, or one.
 */
export const fp8: WeightFormat = { ...fp8Format(BLOCK), findMatrix };

function findMatrix(
  ...[name, { tensors, files }]: Parameters<FindMatrix>
): StoredMatrix | undefined {
  const path = pathOf(name);
  const info = tensors.get(name);
  const scaleName = [`${path}.weight_scale_inv`, `${path}.weight_scale`].find((one) =>
    tensors.has(one),
  );
  if (!path || info?.dtype !== "F8_E4M3" || !scaleName) return undefined;
  const scales = tensors.get(scaleName)!;
  const elements = ELEMENT_FORMATS.get(scales.dtype)?.elements;
  if (!elements) throw new TypeError(`${scaleName} is ${scales.dtype}, expected floats`);
  const [O = 0, D = 0] = info.shape;
  const [rows = 1, columns = 1] = scales.shape;
  const [blockRows = BLOCK, block = BLOCK] = blockOf(files);
  const height = rows === 1 ? O : rows === O ? 1 : blockRows; // rows that share a scale
  const width = columns === 1 ? Math.ceil(D / 8) * 8 : block;
  expectShape(name, info, [O, D]);
  if (rows !== Math.ceil(O / height) || columns !== Math.ceil(D / width)) {
    throw new TypeError(
      `${scaleName} is [${scales.shape}], expected a scale for each ${blockRows} x ${block} of [${O}, ${D}]`,
    );
  }
  return {
    shape: [O, D],
    format: fp8Format(width),
    tensors: [
      { name, info, rows: O },
      { name: scaleName, info: scales, rows },
    ],
    writeTo: (target) => [
      (first, _, bytes) => target.copy(0, first, bytes),
      (first, count, bytes) => {
        const factors = elements.toFloat32(bytes);
        const begin = first * height;
        const expanded = new Float32Array(
          (Math.min((first + count) * height, O) - begin) * columns,
        );
        for (let i = 0; i < expanded.length; i++) {
          const row = Math.floor(i / columns / height);
          expanded[i] = factors[row * columns + (i % columns)]!;
        }
        return target.copy(1, begin, new Uint8Array(expanded.buffer));
      },
    ],
  };
}

function blockOf(files: Readonly<Record<string, unknown>>): readonly number[] {
  const { quantization_config: config } = (files["config.json"] ?? {}) as {
    readonly quantization_config?: Config;
  };
  const schemes = Object.values(config?.config_groups ?? {});
  const structure = schemes.find(({ weights }) => weights?.block_structure)?.weights
    ?.block_structure;
  return config?.weight_block_size ?? structure ?? [];
}

export const fp8Reference: FormatReference = { pack, unpack };

/** The values of all codes. */
const VALUES = Float32Array.from({ length: 256 }, (_, bits) => {
  const exponent = (bits >> 3) & 15;
  const mantissa = bits & 7;
  if ((bits & 0x7f) === 0x7f) return NaN;
  const magnitude = exponent ? (8 + mantissa) * 2 ** (exponent - 10) : mantissa * 2 ** -9;
  return bits & 0x80 ? -magnitude : magnitude;
});

function pack(values: Float32Array, D: number, { constants }: WeightFormat): Uint32Array[] {
  const { BLOCK: block } = constants as { BLOCK: number };
  const O = values.length / D;
  const blocks = Math.ceil(D / block);
  const scales = new Float32Array(O * blocks);
  const codes = Uint8Array.from(values, (value, at) => {
    const o = Math.floor(at / D);
    const b = Math.floor((at % D) / block);
    const begin = o * D + b * block;
    const weights = values.subarray(begin, Math.min(begin + block, (o + 1) * D));
    const largest = weights.reduce((most, weight) => Math.max(most, Math.abs(weight)), 0);
    const scale = Math.fround(largest / 448) || 1;
    scales[o * blocks + b] = scale;
    return nearest(value / scale);
  });
  return [new Uint32Array(codes.buffer), new Uint32Array(scales.buffer)];
}

/** @returns the code of the nearest value; 127 is no number */
function nearest(value: number): number {
  let best = 0;
  for (let code = 0; code < 127; code++) {
    if (Math.abs(VALUES[code]! - Math.abs(value)) < Math.abs(VALUES[best]! - Math.abs(value))) {
      best = code;
    }
  }
  return value < 0 ? best + 128 : best;
}

function unpack(
  [words = new Uint32Array(), scales = new Uint32Array()]: readonly Uint32Array[],
  [O, D]: readonly [O: number, D: number],
  { constants }: WeightFormat,
): Float32Array {
  const { BLOCK: block } = constants as { BLOCK: number };
  const codes = new Uint8Array(words.slice().buffer);
  const factors = new Float32Array(scales.slice().buffer);
  const blocks = Math.ceil(D / block);
  return Float32Array.from({ length: O * D }, (_, at) => {
    const factor = factors[Math.floor(at / D) * blocks + Math.floor((at % D) / block)]!;
    return VALUES[codes[at]!]! * factor;
  });
}
