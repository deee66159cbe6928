import bf16 from "../../shaders/weights/bf16.wgsl?raw";
import f16 from "../../shaders/weights/f16.wgsl?raw";
import f32 from "../../shaders/weights/f32.wgsl?raw";
import q4 from "../../shaders/weights/q4.wgsl?raw";
import q8 from "../../shaders/weights/q8.wgsl?raw";
import type { Gpu } from "../gpu/device.ts";
import { type DType, ELEMENT_BYTES } from "../gpu/tensor.ts";
import type { Weight, WeightFormat, WeightSlice } from "../gpu/weight.ts";

/** Weights that share a scale. */
export const BLOCK = 32;

/** One buffer of a format: how many 4-byte words of it a row of D weights takes. */
interface Part {
  readonly name: string;
  readonly dtype: DType;
  readonly rowWords: (D: number, block: number) => number;
}

interface Format {
  readonly code: string;
  readonly parts: readonly Part[];
  /** A row must be a multiple of this. */
  readonly multiple: number;
  readonly constants?: (block: number) => Record<string, number>;
}

const blocks = (D: number, block: number) => Math.ceil(D / block);

const FORMATS: Readonly<Record<WeightFormat, Format>> = {
  f32: { code: f32, multiple: 4, parts: [{ name: "f32", dtype: "f32", rowWords: (D) => D }] },
  f16: { code: f16, multiple: 4, parts: [{ name: "f16", dtype: "u32", rowWords: (D) => D / 2 }] },
  bf16: {
    code: bf16,
    multiple: 4,
    parts: [{ name: "bf16", dtype: "u32", rowWords: (D) => D / 2 }],
  },
  // Ten bits a weight, of which nine are its code: eight in blocks of 16 would take as many, and err
  // half as much again.
  q8: {
    code: q8,
    multiple: 4,
    parts: [
      { name: "q8", dtype: "u32", rowWords: (D) => blocks(D, BLOCK) * (BLOCK / 4) },
      { name: "block", dtype: "u32", rowWords: (D) => blocks(D, BLOCK) * 2 },
    ],
  },
  q4: {
    code: q4,
    multiple: 8,
    parts: [
      { name: "q4", dtype: "u32", rowWords: (D) => blocks(D, 32) * 4 },
      { name: "affine", dtype: "u32", rowWords: blocks },
    ],
    constants: (block) => ({ BLOCK: block }),
  },
};

/** @returns whether rows of `D` weights can be stored in a format */
export function formatFits(format: WeightFormat, D: number): boolean {
  return D > 0 && D % FORMATS[format].multiple === 0;
}

export interface AllocateOptions {
  /** Weights that share a scale: 32, or 64 in q4. */
  readonly block?: number;
  /** The most bytes that one buffer may have; by default what the device can bind. */
  readonly maxBytes?: number;
}

/**
 * Makes an empty matrix `[O, D]` on the GPU, cut by rows where one buffer would not hold it.
 *
 * @throws TypeError when the format can't hold rows of `D` weights
 * @throws RangeError when the shape is impossible, or one row larger than a buffer may be
 */
export function allocateWeight(
  gpu: Gpu,
  label: string,
  O: number,
  D: number,
  format: WeightFormat,
  { block = BLOCK, maxBytes = largestPart(gpu) }: AllocateOptions = {},
): Weight {
  if (!(Number.isInteger(O) && Number.isInteger(D) && O > 0 && D > 0)) {
    throw new RangeError(`allocateWeight: ${label} is [${O}, ${D}], expected positive integers`);
  }
  const { code, parts, multiple, constants } = FORMATS[format];
  if (!formatFits(format, D)) {
    throw new TypeError(
      `allocateWeight: ${label} has rows of ${D}, ${format} holds multiples of ${multiple}`,
    );
  }
  if (block !== 32 && !(block === 64 && format === "q4")) {
    throw new TypeError(`allocateWeight: ${label}: ${format} in blocks of ${block}`);
  }
  const widest = Math.max(...parts.map(({ rowWords }) => rowWords(D, block)));
  const sliceRows = Math.floor(maxBytes / (widest * ELEMENT_BYTES));
  if (sliceRows < 1) {
    throw new RangeError(
      `allocateWeight: ${label}: a row is ${widest * ELEMENT_BYTES} bytes, a buffer ${maxBytes}`,
    );
  }
  const slices: WeightSlice[] = [];
  for (let first = 0; first < O; first += sliceRows) {
    const rows = Math.min(sliceRows, O - first);
    slices.push({
      first,
      rows,
      parts: parts.map(({ name, dtype, rowWords }) =>
        gpu.tensor(`${label} ${name}`, [rows, rowWords(D, block)], dtype),
      ),
    });
  }
  return { label, shape: [O, D], format, code, constants: constants?.(block) ?? {}, slices };
}

function largestPart({ device: { limits } }: Gpu): number {
  return Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
}
