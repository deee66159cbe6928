import type { Gpu } from "../gpu/device.ts";
import { type Tensor, bufferOf } from "../gpu/tensor.ts";
import { CONV_STATE_ROWS, type ConvCache, type LayerCache, PAGE_TOKENS } from "../ops/cache.ts";
import { type PageCopy, PrefixCache, type RowContent, type Sequence } from "./prefix-cache.ts";

/** The fields of `TextShape` that tell what is kept of a sequence. */
export interface KvCacheShape {
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly num_kv_layers?: number;
  readonly num_conv_layers?: number;
  readonly num_key_value_heads: number;
  readonly head_dim: number;
}

/** How much is kept of a sequence: layers, and floats of a row in each. */
interface Widths {
  readonly kvLayers: number;
  readonly kvWidth: number;
  readonly convLayers: number;
  readonly convWidth: number;
}

function widthsOf(shape: KvCacheShape): Widths {
  return {
    kvLayers: shape.num_kv_layers ?? shape.num_hidden_layers,
    kvWidth: shape.num_key_value_heads * shape.head_dim,
    convLayers: shape.num_conv_layers ?? 0,
    convWidth: shape.hidden_size,
  };
}

/**
 * @returns bytes of keys and values that one token takes over all layers, and its share in its
 *   page's convolution states
 */
export function kvBytesPerToken(shape: KvCacheShape): number {
  const { kvLayers, kvWidth, convLayers, convWidth } = widthsOf(shape);
  const states = (convLayers * convWidth * CONV_STATE_ROWS) / PAGE_TOKENS;
  return (kvLayers * 2 * kvWidth + states) * 4;
}

/** Keys and values may take this much when nobody names a context length ... */
const KV_BYTES = 512 * 2 ** 20;

/** ... but a conversation about an image needs some room. */
const MIN_CONTEXT = 4096;

/**
 * @param tokenBytes as `kvBytesPerToken` tells
 * @param most tokens that the model was made for
 * @returns the context length of a cache that nobody asked to be of another
 */
export function affordableContext(tokenBytes: number, most: number): number {
  return Math.min(most, Math.max(MIN_CONTEXT, Math.floor(KV_BYTES / tokenBytes)));
}

/**
 * Keys and values of the layers that have them, in pages of 64 tokens: those of the sequence under
 * way, and of earlier ones as long as there is room.
 *
 * Convolution states are kept by page too. What a page keeps is of its last rows, so a sequence that
 * another one goes on from can give it whole pages only.
 */
export class KvCache {
  readonly layers: readonly LayerCache[];
  readonly convolutions: readonly ConvCache[];
  /** `[1, pages]` u32 of the sequence under way */
  readonly pageTable: Tensor;
  readonly #gpu: Gpu;
  readonly #prefixes: PrefixCache;
  /** A buffer can't be copied to itself: `[PAGE_TOKENS, K * C]` on its way from page to page. */
  readonly #copied: Tensor;

  /** @param tokens that there is room for */
  constructor(gpu: Gpu, shape: KvCacheShape, tokens: number) {
    const pages = Math.ceil(tokens / PAGE_TOKENS);
    const { kvLayers, kvWidth: width, convLayers, convWidth } = widthsOf(shape);
    this.#gpu = gpu;
    this.#prefixes = new PrefixCache(pages, { wholePages: convLayers > 0 });
    this.pageTable = gpu.tensor("page table", [1, pages], "u32");
    this.layers = Array.from({ length: kvLayers }, (_, i) => ({
      keys: gpu.tensor(`keys ${i}`, [pages * PAGE_TOKENS, width]),
      values: gpu.tensor(`values ${i}`, [pages * PAGE_TOKENS, width]),
      pageTable: this.pageTable,
    }));
    this.convolutions = Array.from({ length: convLayers }, (_, i) => ({
      states: gpu.tensor(`convolution states ${i}`, [pages * CONV_STATE_ROWS, convWidth]),
      pageTable: this.pageTable,
    }));
    this.#copied = gpu.tensor("copied page", [PAGE_TOKENS, width]);
  }

  /** Begins the one sequence under way; see `PrefixCache.begin`. */
  begin(rows: readonly RowContent[], salt?: string): Sequence {
    const sequence = this.#prefixes.begin(rows, salt);
    this.#gpu.write(this.pageTable, Uint32Array.from(sequence.pages));
    return sequence;
  }

  /**
   * Makes room for `tokens` rows of a sequence, before the pass that writes them is submitted.
   * Throws RangeError when there is none.
   */
  reserve(sequence: Sequence, tokens: number): void {
    const { pages, computed } = sequence;
    const held = pages.length;
    const copy = this.#prefixes.reserve(sequence, tokens);
    if (copy) this.#copyPage(copy);
    const first = copy ? Math.floor(computed / PAGE_TOKENS) : held;
    if (first === pages.length) return;
    this.#gpu.write(this.pageTable, Uint32Array.from(pages.slice(first)), first);
  }

  /** Ends a sequence and keeps what is computed of it. */
  end(sequence: Sequence): void {
    this.#prefixes.end(sequence);
  }

  /** Forgets all that is kept, and keeps nothing of the sequence under way. */
  clear(): void {
    this.#prefixes.clear();
  }

  #copyPage({ from, to }: PageCopy): void {
    const copied = bufferOf(this.#copied);
    const { size } = copied;
    const encoder = this.#gpu.device.createCommandEncoder({ label: "copy of a page" });
    for (const tensor of this.layers.flatMap(({ keys, values }) => [keys, values])) {
      const pages = bufferOf(tensor);
      encoder.copyBufferToBuffer(pages, from * size, copied, 0, size);
      encoder.copyBufferToBuffer(copied, 0, pages, to * size, size);
    }
    this.#gpu.device.queue.submit([encoder.finish()]);
  }
}
