import type { Gpu } from "../gpu/device.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { type LayerCache, PAGE_TOKENS } from "../ops/cache.ts";

export interface KvCacheShape {
  readonly num_hidden_layers: number;
  readonly num_key_value_heads: number;
  readonly head_dim: number;
}

/** @returns bytes of keys and values that one token takes over all layers */
export function kvBytesPerToken(shape: KvCacheShape): number {
  return shape.num_hidden_layers * 2 * shape.num_key_value_heads * shape.head_dim * 4;
}

/** Keys and values may take this much when nobody names a context length ... */
const KV_BYTES = 512 * 2 ** 20;

/** ... but a conversation about a picture needs some room. */
const MIN_CONTEXT = 4096;

/**
 * @param tokenBytes as `kvBytesPerToken` tells
 * @param most tokens that the model was made for
 * @returns the context length of a cache that nobody asked to be of another
 */
export function affordableContext(tokenBytes: number, most: number): number {
  return Math.min(most, Math.max(MIN_CONTEXT, Math.floor(KV_BYTES / tokenBytes)));
}

/** Keys and values of all layers in pages of 64 tokens, and who holds which page. */
export class KvCache {
  readonly layers: readonly LayerCache[];
  /** `[sequences, maxPages]` u32 */
  readonly pageTable: Tensor;
  readonly #gpu: Gpu;
  readonly #maxPages: number;
  readonly #free: number[];
  readonly #held: number[][];

  /**
   * @param tokens capacity of all sequences together
   * @param sequences how many can be held at once
   */
  constructor(gpu: Gpu, shape: KvCacheShape, tokens: number, sequences = 1) {
    const pages = Math.ceil(tokens / PAGE_TOKENS);
    const width = shape.num_key_value_heads * shape.head_dim;
    this.#gpu = gpu;
    this.#maxPages = pages;
    this.#free = Array.from({ length: pages }, (_, i) => pages - 1 - i);
    this.#held = Array.from({ length: sequences }, () => []);
    this.pageTable = gpu.tensor("page table", [sequences, pages], "u32");
    this.layers = Array.from({ length: shape.num_hidden_layers }, (_, i) => ({
      keys: gpu.tensor(`keys ${i}`, [pages * PAGE_TOKENS, width]),
      values: gpu.tensor(`values ${i}`, [pages * PAGE_TOKENS, width]),
      pageTable: this.pageTable,
    }));
  }

  /** Tokens that fit into all pages. */
  get capacity(): number {
    return this.#maxPages * PAGE_TOKENS;
  }

  /** Gives a sequence the pages that `tokens` tokens need. Throws RangeError when none are left. */
  reserve(sequence: number, tokens: number): void {
    const held = this.#pagesOf(sequence);
    const wanted = Math.ceil(tokens / PAGE_TOKENS);
    if (wanted - held.length > this.#free.length) {
      throw new RangeError(`KvCache.reserve: ${tokens} tokens asked, capacity is ${this.capacity}`);
    }
    if (wanted <= held.length) return;
    const first = held.length;
    while (held.length < wanted) held.push(this.#free.pop() as number);
    const added = Uint32Array.from(held.slice(first));
    this.#gpu.write(this.pageTable, added, sequence * this.#maxPages + first);
  }

  /** Takes all pages of a sequence back. */
  release(sequence: number): void {
    this.#free.push(...this.#pagesOf(sequence).splice(0).reverse());
  }

  #pagesOf(sequence: number): number[] {
    const held = this.#held[sequence];
    if (!held) throw new RangeError(`KvCache: no sequence ${sequence}, have ${this.#held.length}`);
    return held;
  }
}
