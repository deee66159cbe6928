import decode from "../../shaders/attention-decode.wgsl?raw";
import merge from "../../shaders/attention-merge.wgsl?raw";
import tiled from "../../shaders/attention.wgsl?raw";
import flat from "../../shaders/keys/flat.wgsl?raw";
import paged from "../../shaders/keys/paged.wgsl?raw";
import blocks from "../../shaders/lib/attention.wgsl?raw";
import row from "../../shaders/lib/row.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { LayerCache } from "./cache.ts";

/** Where keys and values are. */
export type KeySource =
  | { readonly kind: "paged"; readonly cache: LayerCache }
  /** Rows `[P, (H + 2K) * C]`: queries, keys, values. Key i is row i, whatever the sequence. */
  | { readonly kind: "flat"; readonly qkv: Tensor };

export interface AttentionOptions {
  /** Query heads, a multiple of K: heads k * H/K and on share key/value head k. */
  readonly H: number;
  readonly K: number;
  /** Channels per head: a multiple of 4, at most 256. */
  readonly C: number;
  readonly scale: number;
  /** Attend from `windowFirst` on instead of `first`. */
  readonly window?: boolean;
}

/** Up to this many rows a tile of queries would be mostly empty, and the keys are split instead. */
const DECODE_ROWS = 8;

/** Queries of one workgroup of attention.wgsl. */
const QUERIES = 16;

/** More splits than this would cost more to merge than they gain. */
const MAX_SPLITS = 32;

/**
 * y = softmax(scale * q kᵀ) v, where each row attends to keys `first ..= last` of its sequence;
 * zeros where it attends to none.
 *
 * @param rows `[T, ROW_WORDS]` u32
 * @param q `[T, at least H * C]`: the queries are each row's first H * C channels
 * @returns `[T, H * C]`
 * @throws TypeError when the shapes don't fit
 */
export function attention(
  g: Graph,
  rows: Tensor,
  q: Tensor,
  source: KeySource,
  { H, K, C, scale, window = false }: AttentionOptions,
): Tensor {
  const [T, width] = q.shape as [number, number];
  if (C % 4 !== 0 || C > 256) {
    throw new TypeError(`attention: C is ${C}, expected a multiple of 4 up to 256`);
  }
  if (H % K !== 0) throw new TypeError(`attention: H is ${H}, expected a multiple of K, ${K}`);
  if (rows.shape[0] !== T || width < H * C || width % 4 !== 0) {
    throw new TypeError(
      `attention: q is [${q.shape}], expected [${rows.shape[0]}, at least ${H * C}]`,
    );
  }
  const keys = keySource(source, (H + 2 * K) * C, K * C);
  const shared = { H, C, WINDOW: Number(window) };
  const constants = { ...shared, ...keys.constants, K, Q_STRIDE: width, SCALE: scale };
  const code = row + blocks + keys.code;
  const y = g.scratch([T, H * C], "attention");

  if (source.kind === "flat" || T > DECODE_ROWS) {
    g.dispatch(
      { name: "attention", code: tiled + code, constants },
      [[rows, q, y], keys.parts],
      [Math.ceil((T * (H / K)) / QUERIES), K],
    );
    return y;
  }

  const maxPages = source.cache.pageTable.shape[1] as number;
  const SPLITS = Math.min(MAX_SPLITS, maxPages);
  const sums = g.scratch([T, H, SPLITS, C], "attention sums");
  const stats = g.scratch([T, H, SPLITS, 2], "attention stats");
  g.dispatch(
    { name: "attention-decode", code: decode + code, constants: { ...constants, SPLITS } },
    [[rows, q, sums, stats], keys.parts],
    [SPLITS, K * Math.ceil(H / K / 4), T],
  );
  g.dispatch(
    { name: "attention-merge", code: merge + row, constants: { ...shared, SPLITS } },
    [[rows, sums, stats, y]],
    [H, T],
  );
  return y;
}

/** A source's WGSL with its overrides and bindings; throws TypeError when its rows don't fit. */
function keySource(
  source: KeySource,
  fusedWidth: number,
  cacheWidth: number,
): { code: string; constants: Readonly<Record<string, number>>; parts: readonly Tensor[] } {
  if (source.kind === "flat") {
    if (source.qkv.shape[1] !== fusedWidth) {
      throw new TypeError(`attention: qkv is [${source.qkv.shape}], expected [P, ${fusedWidth}]`);
    }
    return { code: flat, constants: {}, parts: [source.qkv] };
  }
  const { keys, values, pageTable } = source.cache;
  if (keys.shape[1] !== cacheWidth || values.shape[1] !== cacheWidth) {
    throw new TypeError(`attention: cache rows are [${keys.shape[1]}], expected [${cacheWidth}]`);
  }
  const constants = { MAX_PAGES: pageTable.shape[1] as number };
  return { code: paged, constants, parts: [keys, values, pageTable] };
}
