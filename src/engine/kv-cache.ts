import type { Gpu } from "../gpu/device.ts";
import { type Tensor, bufferOf } from "../gpu/tensor.ts";
import {
  type ConvCache,
  type KvType,
  type LayerCache,
  PAGE_TOKENS,
  convStateRows,
  kvTensor,
} from "../ops/cache.ts";
import { type PageCopy, PrefixCache, type RowContent, type Sequence } from "./prefix-cache.ts";

/** The fields of `TextShape` that decide what a sequence keeps. */
export interface KvCacheShape {
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly num_kv_layers?: number;
  readonly num_conv_layers?: number;
  readonly conv_L_cache?: number;
  readonly num_key_value_heads: number;
  readonly head_dim: number;
}

/** What a sequence keeps: the number of layers of each kind, and the floats of one row in them. */
interface Widths {
  readonly kvLayers: number;
  readonly kvWidth: number;
  readonly convLayers: number;
  readonly convWidth: number;
  /** Rows that a page keeps for a short convolution. */
  readonly convRows: number;
}

function widthsOf(shape: KvCacheShape): Widths {
  return {
    kvLayers: shape.num_kv_layers ?? shape.num_hidden_layers,
    kvWidth: shape.num_key_value_heads * shape.head_dim,
    convLayers: shape.num_conv_layers ?? 0,
    convWidth: shape.hidden_size,
    convRows: convStateRows(shape.conv_L_cache ?? 1),
  };
}

/**
 * @returns bytes that one token takes in all layers: keys, values, and its share of the page's
 *   convolution states
 */
export function kvBytesPerToken(shape: KvCacheShape, type: KvType = "f32"): number {
  const { kvLayers, kvWidth, convLayers, convWidth, convRows } = widthsOf(shape);
  const states = (convLayers * convWidth * convRows) / PAGE_TOKENS;
  return kvLayers * 2 * kvWidth * (type === "f32" ? 4 : 2) + states * 4;
}

/** Bytes that keys and values in f32 may take by default ... */
const KV_BYTES = 512 * 2 ** 20;

/** ... but a conversation about an image needs this many tokens. */
const MIN_CONTEXT = 4096;

/**
 * @param tokenBytes as `kvBytesPerToken` returns it for f32; f16 halves the cache, and keeps the context
 * @param longest the longest context of the model
 * @returns the default context length
 */
export function affordableContext(tokenBytes: number, longest: number): number {
  return Math.min(longest, Math.max(MIN_CONTEXT, Math.floor(KV_BYTES / tokenBytes)));
}

export interface KvCacheOptions {
  /** Of keys and values; states of convolutions are f32. Default "f32". */
  readonly type?: KvType;
  /** Sequences that run at once. Default 1. */
  readonly sequences?: number;
  /** Whether sequences share rows. Default true. */
  readonly shares?: boolean;
}

/**
 * Keys and values of the running sequences and of earlier ones, in pages of 64 tokens.
 *
 * A layer with a short convolution has one state per page, which is that of the page's last rows. So
 * sequences of such models share full pages only.
 */
export class KvCache {
  readonly layers: readonly LayerCache[];
  readonly convolutions: readonly ConvCache[];
  /** `[sequences, pages]` u32, the pages of the running sequences. */
  readonly pageTable: Tensor;
  /** The row of the page table that each running sequence has. */
  readonly #tableRows = new Map<Sequence, number>();
  readonly #freeTableRows: number[];
  readonly #gpu: Gpu;
  readonly #prefixes: PrefixCache;
  /** One page of keys or values, between two pages: a buffer can't be copied to itself. */
  readonly #copied: Tensor;

  /** @param tokens the context length, and the rows of all sequences together */
  constructor(
    gpu: Gpu,
    shape: KvCacheShape,
    tokens: number,
    { type = "f32", sequences = 1, shares = true }: KvCacheOptions = {},
  ) {
    const pages = Math.ceil(tokens / PAGE_TOKENS);
    const { kvLayers, kvWidth: width, convLayers, convWidth, convRows } = widthsOf(shape);
    this.#gpu = gpu;
    this.#prefixes = new PrefixCache(pages, { shares, wholePages: convLayers > 0 });
    this.pageTable = gpu.tensor("page table", [sequences, pages], "u32");
    this.#freeTableRows = Array.from({ length: sequences }, (_, i) => sequences - 1 - i);
    const kept = (label: string, rows: number): Tensor => {
      const { shape, dtype } = kvTensor(type, rows, width);
      return gpu.tensor(label, shape, dtype);
    };
    this.layers = Array.from({ length: kvLayers }, (_, i) => ({
      keys: kept(`keys ${i}`, pages * PAGE_TOKENS),
      values: kept(`values ${i}`, pages * PAGE_TOKENS),
      pageTable: this.pageTable,
    }));
    this.convolutions = Array.from({ length: convLayers }, (_, i) => ({
      states: gpu.tensor(`convolution states ${i}`, [pages * convRows, convWidth]),
      kept: convRows,
      pageTable: this.pageTable,
    }));
    this.#copied = kept("copied page", PAGE_TOKENS);
  }

  /** Number of pages. */
  get pages(): number {
    return this.pageTable.shape[1] as number;
  }

  /** Pages that no running sequence holds. */
  get roomPages(): number {
    return this.#prefixes.roomPages;
  }

  /** See `PrefixCache.missingPages`. */
  missingPages(rows: readonly RowContent[], tokens: number, salt?: string): number {
    return this.#prefixes.missingPages(rows, tokens, salt);
  }

  /** The row of the page table that holds a running sequence's pages. */
  tableRow(sequence: Sequence): number {
    const row = this.#tableRows.get(sequence);
    if (row === undefined) throw new Error("KvCache.tableRow: the sequence does not run");
    return row;
  }

  /** Begins a sequence; see `PrefixCache.begin`. */
  begin(rows: readonly RowContent[], salt?: string): Sequence {
    const sequence = this.#prefixes.begin(rows, salt);
    this.#run(sequence);
    return sequence;
  }

  /** Continues a sequence that has ended; see `PrefixCache.resume`. */
  resume(sequence: Sequence, rows: readonly RowContent[]): boolean {
    const isKept = this.#prefixes.resume(sequence, rows);
    if (isKept) this.#run(sequence);
    return isKept;
  }

  /** Throws Error when as many sequences run as the page table has rows. */
  #run(sequence: Sequence): void {
    const row = this.#freeTableRows.pop();
    if (row === undefined) throw new Error("KvCache: too many sequences run");
    this.#tableRows.set(sequence, row);
    this.#writeTable(sequence, 0);
  }

  /** Writes a sequence's pages to the page table, from the `first` on. */
  #writeTable(sequence: Sequence, first: number): void {
    const pages = sequence.pages.slice(first);
    const start = this.tableRow(sequence) * (this.pageTable.shape[1] as number);
    if (pages.length > 0) this.#gpu.write(this.pageTable, Uint32Array.from(pages), start + first);
  }

  /**
   * Makes room for the first `tokens` rows of a sequence. Call it before the pass that writes them is
   * submitted.
   *
   * @throws NoPagesError when there is no room
   */
  reserve(sequence: Sequence, tokens: number): void {
    const { pages, computed } = sequence;
    const count = pages.length;
    const copy = this.#prefixes.reserve(sequence, tokens);
    if (copy) this.#copyPage(copy);
    this.#writeTable(sequence, copy ? Math.floor(computed / PAGE_TOKENS) : count);
  }

  /** Ends a sequence and caches its computed rows. */
  end(sequence: Sequence): void {
    this.#freeTableRows.push(this.tableRow(sequence));
    this.#tableRows.delete(sequence);
    this.#prefixes.end(sequence);
  }

  /** Empties the cache. Running sequences are not cached when they end. */
  clear(): void {
    this.#prefixes.clear();
  }

  #copyPage({ from, to }: PageCopy): void {
    const copied = bufferOf(this.#copied);
    const { size } = copied;
    const encoder = this.#gpu.device.createCommandEncoder({ label: "page copy" });
    for (const tensor of this.layers.flatMap(({ keys, values }) => [keys, values])) {
      const pages = bufferOf(tensor);
      encoder.copyBufferToBuffer(pages, from * size, copied, 0, size);
      encoder.copyBufferToBuffer(copied, 0, pages, to * size, size);
    }
    this.#gpu.device.queue.submit([encoder.finish()]);
  }
}
