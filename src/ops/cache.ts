import type { Tensor } from "../gpu/tensor.ts";

/** Tokens of a KV page: one attention tile, so that a page is looked up once a tile. */
export const PAGE_TOKENS = 64;

/** One layer's keys and values in pages, and the table that finds them. */
export interface LayerCache {
  /** `[pages * PAGE_TOKENS, K * C]` */
  readonly keys: Tensor;
  /** `[pages * PAGE_TOKENS, K * C]` */
  readonly values: Tensor;
  /** `[sequences, maxPages]` u32: the page that holds tokens 64p .. 64p+63 of a sequence. */
  readonly pageTable: Tensor;
}

/** Rows that a short convolution of three taps looks back. */
export const CONV_STATE_ROWS = 2;

/** What one layer's short convolution keeps of each page, and the table that finds it. */
export interface ConvCache {
  /**
   * `[pages * CONV_STATE_ROWS, D]`: the convolution's input in a page's last two rows, row
   * `2 * page + position % 2` being that of a position.
   */
  readonly states: Tensor;
  /** As in `LayerCache`. */
  readonly pageTable: Tensor;
}
