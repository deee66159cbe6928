import type { Sampler, SamplerOptions } from "../src/engine/decoder.ts";
import type { GeneratedToken } from "../src/engine/generation.ts";
import type { KvCache } from "../src/engine/kv-cache.ts";
import { Slots } from "../src/engine/slots.ts";
import type { Gpu } from "../src/gpu/device.ts";
import type { Plan } from "../src/gpu/plan.ts";
import type { Tensor } from "../src/gpu/tensor.ts";
import { PENALTY_WORDS } from "../src/ops/adjust-logits.ts";
import { PAGE_TOKENS } from "../src/ops/cache.ts";
import { maskWords } from "../src/ops/mask-logits.ts";
import { NOWHERE, ROW_WORDS } from "../src/ops/row.ts";
import { SAMPLE_WORDS } from "../src/ops/sample.ts";
import { readMemory } from "./memory-gpu.ts";

/** Ids from here on are sampled; those of prompts are below. */
export const FIRST_SAMPLED = 32;
export const VOCABULARY = 64;

/** A fake of a row's key is one word; a decode pass gives another one than a prefill. */
const DECODE_PASS = 0x5bd1e995;

interface FakePlan {
  readonly name: string;
  readonly run: () => void;
}

/** A hash of words. */
export function hashOf(...words: readonly number[]): number {
  let h = 0x811c9dc5;
  for (const word of words) {
    h = Math.imul(h ^ word, 0x01000193);
    h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
    h ^= h >>> 13;
  }
  return h >>> 0;
}

/**
 * Computes hashes where a decoder computes hidden states, in the buffers of a `memoryGpu`. The hash of a
 * row depends on what a real row depends on: token, positions, the keys of its range, which are found by
 * the page table, and the kind of the pass. A sampled token depends on the hash and on everything in
 * its slot.
 */
export class FakeDecoder {
  readonly limits = { preparedRows: 32, maxRows: 32 };
  readonly slots: Slots;
  /** What encoded images write: `[N]`. */
  readonly imageStates = new Uint32Array(256);
  /** The kinds of passes and samplers that were submitted, in order. */
  readonly log: string[] = [];
  readonly #cache: KvCache;
  readonly #wait: () => Promise<void>;
  #chunk = new Uint32Array();
  #head: { readonly row: number; readonly slot: number } | undefined;
  readonly #hidden = new Uint32Array(8);

  /** @param wait is awaited by everything that takes time on a GPU */
  constructor(gpu: Gpu, cache: KvCache, wait: () => Promise<void>) {
    this.slots = new Slots(gpu, VOCABULARY);
    this.#cache = cache;
    this.#wait = wait;
  }

  async forward(bucket: number): Promise<Plan> {
    await this.#wait();
    return planOf(`forward ${bucket}`, () => {
      if (this.#chunk.length !== bucket * ROW_WORDS) throw new Error("wrong bucket");
      const hashes = this.#pass(this.#chunk, bucket > 8 ? 0 : DECODE_PASS);
      if (this.#head) this.#hidden[this.#head.slot] = hashes[this.#head.row] as number;
    });
  }

  async decode(batch: number): Promise<Plan> {
    await this.#wait();
    return planOf(`decode ${batch}`, () => {
      const rows = words(this.slots.rows).slice(0, batch * ROW_WORDS);
      this.#hidden.set(this.#pass(rows, DECODE_PASS));
    });
  }

  async sampler(batch: number, options: SamplerOptions): Promise<Sampler> {
    await this.#wait();
    const plan = planOf(`sample ${batch}`, () => this.#sample(batch, options));
    return { plan, batch, hasLogprobs: options.logprobs ?? false } as unknown as Sampler;
  }

  writeChunk(rows: Uint32Array, head?: { readonly row: number; readonly slot: number }): void {
    this.#chunk = rows.slice();
    this.#head = head;
  }

  submit(passes: readonly Plan[]): void {
    for (const plan of passes as unknown as readonly FakePlan[]) {
      this.log.push(plan.name);
      plan.run();
    }
  }

  async step(passes: readonly Plan[], sampler: Sampler): Promise<GeneratedToken[]> {
    this.submit([...passes, sampler.plan]);
    const tokens = words(this.slots.tokens).slice(0, sampler.batch);
    const tops = words(this.slots.topLogprobs).slice(0, sampler.batch);
    const hidden = this.#hidden.slice();
    await this.#wait();
    return Array.from(tokens, (token, slot) => {
      if (!sampler.hasLogprobs) return { token };
      const top = Array.from({ length: tops[slot] as number }, (_, id) => ({ id, logprob: -id }));
      return { token, logprobs: { logprob: -(hidden[slot] as number), top } };
    });
  }

  #pass(rows: Uint32Array, kind: number): number[] {
    const hashes: number[] = [];
    for (let at = 0; at < rows.length; at += ROW_WORDS) {
      const [rope = 0, , , token = 0, table = 0, position = 0, first = 0, last = 0] = rows.subarray(
        at,
        at + ROW_WORDS,
      );
      if (position === NOWHERE) {
        hashes.push(0);
        continue;
      }
      const image = token >= VOCABULARY ? (this.imageStates[token - VOCABULARY] as number) : token;
      const others = rows.subarray(at + 8, at + ROW_WORDS);
      const keys = words((this.#cache.layers[0] as { keys: Tensor }).keys);
      let hash = hashOf(kind, rope, image, position, first, last, ...others);
      for (let i = first; i < position;) {
        // The rows of a page are neighbours.
        const row = this.#keyRow(table, i);
        const end = Math.min(position, i - (i % PAGE_TOKENS) + PAGE_TOKENS);
        for (const start = i; i < end; i++) {
          hash = Math.imul(hash ^ (keys[4 * (row + i - start)] as number), 0x01000193);
          hash = (hash ^ (hash >>> 15)) >>> 0;
        }
      }
      keys[4 * this.#keyRow(table, position)] = hash;
      hashes.push(hash);
    }
    return hashes;
  }

  #keyRow(table: number, position: number): number {
    const { pageTable } = this.#cache;
    const at = table * (pageTable.shape[1] as number) + Math.floor(position / PAGE_TOKENS);
    return (words(pageTable)[at] as number) * PAGE_TOKENS + (position % PAGE_TOKENS);
  }

  #sample(batch: number, options: SamplerOptions): void {
    const { slots } = this;
    for (let slot = 0; slot < batch; slot++) {
      const settings = words(slots.sampling).subarray(
        slot * SAMPLE_WORDS,
        (slot + 1) * SAMPLE_WORDS,
      );
      const [temperature = 0, topK = 0, , , seed = 0, , step = 0, row = 0] = settings;
      if (row === NOWHERE) continue;
      const [sequence = 0, position = 0, offset = 0, , crossFirst = 0, crossLast = 0] =
        settings.subarray(8);
      const noise = temperature === 0 || options.greedy ? [] : [temperature, topK, seed, step];
      let best = -1;
      let token = 0;
      for (let id = FIRST_SAMPLED; id < VOCABULARY; id++) {
        let score = hashOf(this.#hidden[slot] as number, id, ...noise) / 2 ** 32;
        if (options.processors) score = this.#adjusted(slot, step, id, score);
        if (options.masked && !this.#isAllowed(slot, id)) score -= 100;
        if (best < score || id === FIRST_SAMPLED) [best, token] = [score, id];
      }
      words(slots.tokens)[slot] = token;
      const rope = position + offset;
      const cross = [crossFirst, crossLast, Number(crossFirst <= crossLast)];
      const next = [rope, rope, rope, token, sequence, position, 0, position, 0, ...cross];
      words(slots.rows).set(next, row * ROW_WORDS);
      settings[6] = step + 1;
      settings[9] = position + 1;
    }
  }

  #adjusted(slot: number, step: number, id: number, score: number): number {
    const { bias, history, penalties } = this.slots.processors;
    const at = slot * VOCABULARY + id;
    const counts = words(history);
    if (step > 0 && words(this.slots.tokens)[slot] === id) counts[at] = (counts[at] as number) + 1;
    const past = counts[at] as number;
    const times = past & 0x3fffffff;
    const [frequency = 0, presence = 0, repetition = 0] = new Float32Array(
      words(penalties).slice(slot * PENALTY_WORDS).buffer,
    );
    const minTokens = words(penalties)[slot * PENALTY_WORDS + 3] as number;
    if ((past & 0x40000000) !== 0 && step < minTokens) return score - 50;
    if (times > 0 || past >>> 31 === 1) score /= repetition;
    if (times > 0) score -= frequency * times + presence;
    return score + (new Float32Array(words(bias).buffer)[at] as number);
  }

  #isAllowed(slot: number, id: number): boolean {
    const word = words(this.slots.mask.tensor)[slot * maskWords(VOCABULARY) + (id >>> 5)] as number;
    return ((word >>> (id & 31)) & 1) === 1;
  }
}

function planOf(name: string, run: () => void): Plan {
  return { name, run } as unknown as Plan;
}

/** The words of a tensor of a `memoryGpu`, which can be written. */
function words(tensor: Tensor): Uint32Array {
  return new Uint32Array(readMemory(tensor).buffer);
}
