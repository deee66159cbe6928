import type { Gpu } from "../gpu/device.ts";
import { ELEMENT_BYTES } from "../gpu/tensor.ts";
import type { Weight, WeightSlice } from "../gpu/weight.ts";
import { formatFits, type WeightFormat } from "./format.ts";

/** A weight that rows can be written to. */
export interface WritableWeight extends Weight {
  readonly format: WeightFormat;
}

export interface AllocateOptions {
  /** The most bytes that one buffer may have; by default what the device can bind. */
  readonly maxBytes?: number;
}

/**
 * Makes a matrix `[O, D]` of zeros on the GPU, cut by rows where one buffer can't hold it.
 *
 * @throws TypeError when the format can't hold rows of `D` weights
 * @throws RangeError when the shape is impossible, or when a row is larger than a buffer may be
 */
export function allocateWeight(
  gpu: Gpu,
  label: string,
  [O, D]: readonly [O: number, D: number],
  format: WeightFormat,
  { maxBytes = largestBinding(gpu) }: AllocateOptions = {},
): WritableWeight {
  if (!(Number.isInteger(O) && Number.isInteger(D) && O > 0 && D > 0)) {
    throw new RangeError(`allocateWeight: ${label} is [${O}, ${D}], expected positive integers`);
  }
  const { name, parts, rowMultiple } = format;
  if (!formatFits(format, D)) {
    throw new TypeError(
      `allocateWeight: ${label} has rows of ${D}, ${name} holds multiples of ${rowMultiple}`,
    );
  }
  const widest = Math.max(...parts.map(({ rowWords }) => rowWords(D))) * ELEMENT_BYTES;
  const sliceRows = Math.floor(maxBytes / widest);
  if (sliceRows < 1) {
    throw new RangeError(
      `allocateWeight: ${label}: a row takes ${widest} bytes, a buffer holds ${maxBytes}`,
    );
  }
  const slices: WeightSlice[] = [];
  for (let first = 0; first < O; first += sliceRows) {
    const rows = Math.min(sliceRows, O - first);
    slices.push({
      first,
      rows,
      format,
      parts: parts.map(({ name, dtype, rowWords }) =>
        gpu.tensor(`${label} ${name}`, [rows, rowWords(D)], dtype),
      ),
    });
  }
  return { label, shape: [O, D], format, slices };
}

function largestBinding({ device: { limits } }: Gpu): number {
  return Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
}
