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

/**
 * Keys and values of the running sequence and of earlier ones, in pages of 64 tokens.
 *
 * A layer with a short convolution has one state per page, which is that of the page's last rows. So
 * sequences of such models share full pages only.
 */
export class KvCache {
  readonly layers: readonly LayerCache[];
  readonly convolutions: readonly ConvCache[];
  /** `[1, pages]` u32, the pages of the running sequence. */
  readonly pageTable: Tensor;
  readonly #gpu: Gpu;
  readonly #prefixes: PrefixCache;
  /** One page of keys or values, between two pages: a buffer can't be copied to itself. */
  readonly #copied: Tensor;

  /**
   * @param tokens the context length
   * @param type of keys and values; states of convolutions are f32
   */
  constructor(gpu: Gpu, shape: KvCacheShape, tokens: number, type: KvType = "f32") {
    const pages = Math.ceil(tokens / PAGE_TOKENS);
    const { kvLayers, kvWidth: width, convLayers, convWidth, convRows } = widthsOf(shape);
    this.#gpu = gpu;
    this.#prefixes = new PrefixCache(pages, { wholePages: convLayers > 0 });
    this.pageTable = gpu.tensor("page table", [1, pages], "u32");
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

  /** Begins a sequence, which becomes the running one; see `PrefixCache.begin`. */
  begin(rows: readonly RowContent[], salt?: string): Sequence {
    const sequence = this.#prefixes.begin(rows, salt);
    this.#gpu.write(this.pageTable, Uint32Array.from(sequence.pages));
    return sequence;
  }

  /**
   * Makes room for the first `tokens` rows of a sequence. Call it before the pass that writes them is
   * submitted.
   *
   * @throws RangeError when there is no room
   */
  reserve(sequence: Sequence, tokens: number): void {
    const { pages, computed } = sequence;
    const count = pages.length;
    const copy = this.#prefixes.reserve(sequence, tokens);
    if (copy) this.#copyPage(copy);
    const first = copy ? Math.floor(computed / PAGE_TOKENS) : count;
    if (first === pages.length) return;
    this.#gpu.write(this.pageTable, Uint32Array.from(pages.slice(first)), first);
  }

  /** Ends a sequence and caches its computed rows. */
  end(sequence: Sequence): void {
    this.#prefixes.end(sequence);
  }

  /** Empties the cache. The running sequence is not cached when it ends. */
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
