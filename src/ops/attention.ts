import tiled from "../../shaders/attention.wgsl?raw";
import crossAttention from "../../shaders/keys/cross-attention.wgsl?raw";
import flat from "../../shaders/keys/flat.wgsl?raw";
import paged from "../../shaders/keys/paged.wgsl?raw";
import tile from "../../shaders/lib/attention-tile.wgsl?raw";
import blocks from "../../shaders/lib/attention.wgsl?raw";
import keyRange from "../../shaders/lib/key-range.wgsl?raw";
import row from "../../shaders/lib/row.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { type LayerCache, keptCode, PAGE_TOKENS } from "./cache.ts";

/** Where the keys and values of an attention layer lie. */
export type KeySource =
  /** In the pages of a cache. */
  | { readonly kind: "paged"; readonly cache: LayerCache }
  /** In `[P, (H + 2K) * C]`, after the queries. Key i is in row i; `Row.sequence` is ignored. */
  | { readonly kind: "flat"; readonly qkv: Tensor }
  /**
   * In a ring, each `[N, K * C]`. A row attends to keys `crossFirst ..= crossLast`. Key i, below 2N, is
   * in row i mod N; `Row.sequence` is ignored.
   */
  | { readonly kind: "cross-attention"; readonly keys: Tensor; readonly values: Tensor };

export interface AttentionOptions {
  /** Query heads, a multiple of K. Query heads k * H/K ..< (k + 1) * H/K share key/value head k. */
  readonly H: number;
  /** Key/value heads. */
  readonly K: number;
  /** Channels per head: a multiple of 4, at most 256. */
  readonly C: number;
  readonly scale: number;
  /** Scores become softcap * tanh(score / softcap) (arXiv 2408.00118). Default: no cap. */
  readonly softcap?: number | undefined;
  /** A row attends to keys from `first` on ("all"), or from `windowFirst` on. Default "all". */
  readonly range?: "all" | "window";
}

/** For so few rows, a tile of queries would be mostly empty. The keys are split instead. */
const DECODE_ROWS = 8;

/** Query heads of one key/value head that a workgroup computes: four, or on GPUs all within these limits. */
const SHARED_QUERIES = 4;
const MAX_QUERIES = 8;
const MAX_QUERY_CHANNELS = 1024;

/** Queries that one workgroup of attention.wgsl computes. */
const TILE_QUERIES = 16;
const GPU_TILE_QUERIES = 64;

/** More splits than this cost more to merge than they gain. */
const MAX_SPLITS = 32;
const MAX_GPU_SPLITS = 64;

/**
 * y = softmax(cap(scale * q kᵀ)) v. Each row attends to one range of keys (see `KeySource` and
 * `range`). A row with an empty range gives zeros.
 *
 * @param rows `[T, ROW_WORDS]` u32
 * @param q `[T, at least H * C]`; the first H * C channels of a row are its queries
 * @returns `[T, H * C]`
 * @throws TypeError when the shapes don't fit
 */
export function attention(
  g: Graph,
  rows: Tensor,
  q: Tensor,
  source: KeySource,
  { H, K, C, scale, softcap = 0, range = "all" }: AttentionOptions,
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
  const keys = keyReader(source, (H + 2 * K) * C, K * C);
  // The numbers of shaders/lib/key-range.wgsl.
  const RANGE = source.kind === "cross-attention" ? 2 : Number(range === "window");
  const shared = { H, C, RANGE };
  const scores = { SCALE: scale, SOFTCAP: softcap };
  const constants = { ...shared, ...keys.constants, ...scores, K, Q_STRIDE: width };
  const code = row + keyRange + blocks + keys.code;
  const y = g.scratch([T, H * C], "attention");
  const { software, hardware, features } = g.kernels;
  if (source.kind === "flat" || T > DECODE_ROWS || !(software ?? hardware)) {
    const queries = hardware ? GPU_TILE_QUERIES : TILE_QUERIES;
    g.dispatch(
      { name: "attention", code: (hardware?.attention ?? tiled) + tile + code, constants },
      [[rows, q, y], keys.parts],
      [Math.ceil((T * (H / K)) / queries), K],
    );
    return y;
  }

  const SPLITS = Math.min(hardware ? MAX_GPU_SPLITS : MAX_SPLITS, keys.pages);
  // Of a key/value head, as equal parts as can be.
  const most = hardware
    ? Math.min(MAX_QUERIES, Math.floor(MAX_QUERY_CHANNELS / C))
    : SHARED_QUERIES;
  const parts = Math.ceil(H / K / most);
  const QUERIES = Math.ceil(H / K / parts);
  const grid = [SPLITS, K * parts, T] as const;
  if (hardware) {
    const counters = K * parts * T;
    const words = counters + T * H * SPLITS * (C + 2);
    // Dispatches take turns with it. Its counters are 0 between them, so their number is part of its name.
    const work = g.gpu.constant(
      `attention ${counters} ${words}`,
      [words],
      "u32",
      () => new Uint32Array(words),
    );
    const { arrival, attentionDecode, quad, quadSubgroups } = hardware;
    const sums = features.has("subgroups") ? quadSubgroups : quad;
    g.dispatch(
      {
        name: "attention-decode",
        code: sums + attentionDecode + arrival + code,
        constants: { ...constants, SPLITS, QUERIES },
      },
      [[rows, q, y, work], keys.parts],
      grid,
    );
    return y;
  }
  const sums = g.scratch([T, H, SPLITS, C], "attention sums");
  const stats = g.scratch([T, H, SPLITS, 2], "attention stats");
  g.dispatch(
    {
      name: "attention-decode",
      code: software!.attentionDecode + code,
      constants: { ...constants, SPLITS },
    },
    [[rows, q, sums, stats], keys.parts],
    grid,
  );
  g.dispatch(
    {
      name: "attention-merge",
      code: software!.attentionMerge + row + keyRange,
      constants: { ...shared, SPLITS },
    },
    [[rows, sums, stats, y]],
    [H, T],
  );
  return y;
}

/** WGSL that reads keys and values, and what it needs. */
interface KeyReader {
  readonly code: string;
  readonly constants: Readonly<Record<string, number>>;
  readonly parts: readonly Tensor[];
  /** Pages that a row's keys may lie in. */
  readonly pages: number;
}

/** Throws TypeError when the rows of a source don't have the expected width. */
function keyReader(source: KeySource, fusedWidth: number, cacheWidth: number): KeyReader {
  if (source.kind === "flat") {
    const { qkv } = source;
    if (qkv.shape[1] !== fusedWidth) {
      throw new TypeError(`attention: qkv is [${qkv.shape}], expected [P, ${fusedWidth}]`);
    }
    const pages = Math.ceil((qkv.shape[0] as number) / PAGE_TOKENS);
    return { code: flat, constants: {}, parts: [qkv], pages };
  }
  if (source.kind === "paged") {
    const { cache } = source;
    const { keys, values, pageTable } = cache;
    const code = keptCode("attention", cache, cacheWidth) + paged;
    const pages = pageTable.shape[1] as number;
    return { code, constants: { MAX_PAGES: pages }, parts: [keys, values, pageTable], pages };
  }
  const { keys, values } = source;
  if (keys.shape[1] !== cacheWidth || values.shape[1] !== cacheWidth) {
    throw new TypeError(
      `attention: keys are [${keys.shape}] and values [${values.shape}], ` +
        `expected rows of ${cacheWidth}`,
    );
  }
  const pages = Math.ceil((2 * (keys.shape[0] as number)) / PAGE_TOKENS);
  return { code: crossAttention, constants: {}, parts: [keys, values], pages };
}
