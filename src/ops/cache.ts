import f16 from "../../shaders/kept/f16.wgsl?raw";
import f32 from "../../shaders/kept/f32.wgsl?raw";
import type { Tensor } from "../gpu/tensor.ts";

/** Tokens of a KV page. It is one tile of the attention kernels, so a tile needs one page lookup. */
export const PAGE_TOKENS = 64;

/** How keys and values are kept. */
export type KvType = "f32" | "f16";

/** The paged keys and values of one layer. */
export interface LayerCache {
  /** `[pages * PAGE_TOKENS, K * C]` f32, or `[pages * PAGE_TOKENS, K * C / 2]` u32 with two f16 each. */
  readonly keys: Tensor;
  /** As the keys. */
  readonly values: Tensor;
  /** `[sequences, maxPages]` u32; entry p is the page of tokens 64p .. 64p + 63 of a sequence. */
  readonly pageTable: Tensor;
}

/**
 * @returns the shape and element type of `rows` keys or values of `width` channels
 * @throws RangeError for another type
 */
export function kvTensor(type: KvType, rows: number, width: number) {
  if (type !== "f32" && type !== "f16") {
    throw new RangeError(`kvCache is ${JSON.stringify(type)}, expected "f32" or "f16"`);
  }
  return type === "f32"
    ? ({ shape: [rows, width], dtype: "f32" } as const)
    : ({ shape: [rows, width / 2], dtype: "u32" } as const);
}

/**
 * @param width channels of a row
 * @returns WGSL that reads and writes four channels of a layer's cache
 * @throws TypeError when keys or values don't have the width
 */
export function keptCode(caller: string, { keys, values }: LayerCache, width: number): string {
  const words = keys.dtype === "f32" ? width : width / 2;
  if (keys.shape[1] !== words || values.shape[1] !== words || values.dtype !== keys.dtype) {
    throw new TypeError(
      `${caller}: keys are [${keys.shape}] ${keys.dtype} and values [${values.shape}] ${values.dtype}, ` +
        `expected rows of ${width} f32, or of ${width / 2} u32 with two f16`,
    );
  }
  return keys.dtype === "f32" ? f32 : f16;
}

/** @returns rows that a page keeps for a short convolution over `L` positions: those it looks back */
export function convStateRows(L: number): number {
  return Math.max(1, L - 1);
}

/** The states of one layer's short convolution, one per page. */
export interface ConvCache {
  /**
   * `[pages * kept, D]`, the convolution's input at the last `kept` positions of each page. Row
   * `kept * page + position % kept` belongs to `position`.
   */
  readonly states: Tensor;
  /** `convStateRows` of the convolution, at most PAGE_TOKENS. */
  readonly kept: number;
  /** As in `LayerCache`. */
  readonly pageTable: Tensor;
}
