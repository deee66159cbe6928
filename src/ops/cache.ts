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
