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

/** How many rows a short convolution over three positions looks back. */
export const CONV_STATE_ROWS = 2;

/** The states of one layer's short convolution, one per page. */
export interface ConvCache {
  /**
   * `[pages * CONV_STATE_ROWS, D]`, the convolution's input at the last two positions of each page. Row
   * `2 * page + position % 2` belongs to `position`.
   */
  readonly states: Tensor;
  /** As in `LayerCache`. */
  readonly pageTable: Tensor;
}
