import type { Gpu } from "../gpu/device.ts";
import { ELEMENT_BYTES } from "../gpu/tensor.ts";
import type { Weight, WeightSlice } from "../gpu/weight.ts";
import { formatFits, hasRows, partWords, type WeightFormat } from "./format.ts";

/** A weight that rows can be written to. */
export interface WritableWeight extends Weight {
  readonly format: WeightFormat;
}

export interface AllocateOptions {
  /** The most bytes that one buffer may have; by default what the device can bind. */
  readonly maxBytes?: number;
  /** Whether the columns have an order of their own. Default false. */
  readonly isReordered?: boolean | undefined;
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
  { maxBytes = largestBinding(gpu), isReordered }: AllocateOptions = {},
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
  const unit = hasRows(format) ? 1 : O; // rows that can't be parted
  const largest = Math.max(...parts.map((part) => partWords(part, unit, D))) * ELEMENT_BYTES;
  const sliceRows = Math.floor(maxBytes / largest) * unit;
  if (sliceRows < 1) {
    throw new RangeError(
      `allocateWeight: ${label}: ${unit === 1 ? "a row" : "it"} takes ${largest} bytes, ` +
        `a buffer holds ${maxBytes}`,
    );
  }
  const columns = isReordered && gpu.tensor(`${label} columns`, [D], "u32");
  const slices: WeightSlice[] = [];
  for (let first = 0; first < O; first += sliceRows) {
    const rows = Math.min(sliceRows, O - first);
    slices.push({
      first,
      rows,
      format,
      parts: parts.map((part) => {
        const words = partWords(part, rows, D);
        const shape = part.rowWords ? [rows, words / rows] : [words];
        return gpu.tensor(`${label} ${part.name}`, shape, part.dtype);
      }),
      ...(columns && { columns }),
    });
  }
  return { label, shape: [O, D], format, slices };
}

function largestBinding({ device: { limits } }: Gpu): number {
  return Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
}
