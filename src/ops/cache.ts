import type { Tensor } from "../gpu/tensor.ts";

/** Tokens of a KV page. It is one tile of the attention kernels, so a tile needs one page lookup. */
export const PAGE_TOKENS = 64;

/** The paged keys and values of one layer. */
export interface LayerCache {
  /** `[pages * PAGE_TOKENS, K * C]` */
  readonly keys: Tensor;
  /** `[pages * PAGE_TOKENS, K * C]` */
  readonly values: Tensor;
  /** `[sequences, maxPages]` u32; entry p is the page of tokens 64p .. 64p + 63 of a sequence. */
  readonly pageTable: Tensor;
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
