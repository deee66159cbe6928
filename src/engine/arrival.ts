import type { Plan } from "../gpu/plan.ts";
import { IDLE_ROW, ROW_WORDS, writeRow } from "../ops/row.ts";
import { chunkEnd } from "./bidirectional-blocks.ts";
import type { Decoder } from "./decoder.ts";
import type { KvCache } from "./kv-cache.ts";
import { prefillBucket } from "./prefill-bucket.ts";
import type { Sequence } from "./prefix-cache.ts";
import { writePromptRows } from "./prompt-rows.ts";
import type { Request } from "./request.ts";
import { type GeneratedRows, MAX_SLOTS, generatedRow } from "./slots.ts";

/** Rows of a request that one pass computes, from `start` to before `end`. */
export interface KnownRows {
  readonly start: number;
  readonly end: number;
  /** Rows of the pass, those that are idle included. */
  readonly bucket: number;
}

/** What an arrival needs of the engine. */
export interface ArrivalParts {
  readonly decoder: Pick<Decoder, "limits" | "forward" | "writeChunk">;
  readonly cache: Pick<KvCache, "begin" | "resume" | "reserve" | "end" | "tableRow">;
  /** What the rows of a request's generated tokens need, the row of the page table excepted. */
  generatedRows(request: Request): Omit<GeneratedRows, "sequence">;
  /** Encodes the images whose rows are not among those computed. Stops when the request ends. */
  encodeImages(request: Request, computed: number): Promise<void>;
}

/**
 * Cuts the rows that a sequence lacks into passes. Rows of the prompt are prefilled. Rows of generated
 * tokens are computed by the kernels of decode steps, because those add in another order.
 */
export function knownRows(
  { prompt, promptTokens, tokens }: Request,
  computed: number,
  limits: Decoder["limits"],
): KnownRows[] {
  const passes: KnownRows[] = [];
  let start = computed;
  while (start < promptTokens) {
    const end = chunkEnd(prompt.rows, start, limits.preparedRows);
    passes.push({ start, end, bucket: prefillBucket(end - start, limits) });
    start = end;
  }
  // The next step computes the row of the last token.
  const total = promptTokens + tokens.length - 1;
  for (; start < total; start += MAX_SLOTS) {
    passes.push({ start, end: Math.min(start + MAX_SLOTS, total), bucket: MAX_SLOTS });
  }
  return passes;
}

/**
 * The way of a request from the queue to a slot: its images are encoded, and the rows of its prompt, and
 * of tokens that it generated before it was preempted, are computed. Image states and the rows of chunks
 * are shared, so there is one arrival at a time.
 */
export class Arrival {
  readonly request: Request;
  readonly sequence: Sequence;
  /** Rows that the cache had. */
  readonly cached: number;
  /** Resolves when images and plans are ready, or have failed. */
  readonly settled: Promise<void>;
  isSettled = false;
  /** Why it can't continue. */
  error: unknown;
  readonly #parts: ArrivalParts;
  readonly #passes: KnownRows[];
  readonly #plans = new Map<number, Plan>();
  #next = 0;

  /**
   * Takes pages for the request's rows.
   *
   * @throws RangeError when they don't fit into the cache
   */
  constructor(request: Request, parts: ArrivalParts) {
    const { input, prompt, promptTokens, tokens } = request;
    const { cache, decoder } = parts;
    let { sequence } = request;
    if (!sequence || !cache.resume(sequence, [...prompt.contents, ...tokens])) {
      sequence = cache.begin(prompt.contents, input.cacheSalt);
      sequence.rows.push(...tokens);
    }
    this.request = request;
    this.sequence = request.sequence = sequence;
    this.cached = sequence.computed;
    this.#parts = parts;
    try {
      if (tokens.length === 0) input.onCached?.(sequence.computed);
      cache.reserve(sequence, promptTokens + tokens.length);
      this.#passes = knownRows(request, sequence.computed, decoder.limits);
    } catch (error) {
      cache.end(sequence);
      throw error;
    }
    this.settled = this.#prepare()
      .catch((error: unknown) => void (this.error = error))
      .then(() => void (this.isSettled = true));
  }

  /** What the rows of its generated tokens need. */
  get rows(): GeneratedRows {
    const sequence = this.#parts.cache.tableRow(this.sequence);
    return { ...this.#parts.generatedRows(this.request), sequence };
  }

  /** Whether the next token is sampled from the last row of the next pass. */
  get samplesNext(): boolean {
    return this.request.tokens.length === 0 && this.#next === this.#passes.length - 1;
  }

  /** Whether all rows but that of the last generated token are computed. */
  get isComputed(): boolean {
    return this.#next === this.#passes.length;
  }

  /**
   * Writes the rows of the next pass, which must be submitted next.
   *
   * @param slot the slot that samples from its last row
   */
  write(slot?: number): { readonly plan: Plan; readonly promptRows: number } {
    const { prompt, promptTokens, input, tokens } = this.request;
    const { start, end, bucket } = this.#passes[this.#next++] as KnownRows;
    const words = new Uint32Array(bucket * ROW_WORDS);
    const count = end - start;
    const isPrompt = start < promptTokens;
    const rows = this.rows;
    if (isPrompt) {
      writePromptRows(words, prompt.rows, start, count, rows.sequence);
    } else {
      const state = { input, rows, tokens };
      for (let i = 0; i < bucket; i++) {
        writeRow(words, i, i < count ? generatedRow(state, start + i - promptTokens) : IDLE_ROW);
      }
    }
    this.#parts.decoder.writeChunk(
      words,
      slot === undefined ? undefined : { row: count - 1, slot },
    );
    // Passes that read these rows come later in the queue. After an error of the device, all is dropped.
    this.sequence.computed = end;
    if (isPrompt) {
      const { cached } = this;
      input.onProgress?.({ stage: "prompt", cached, computed: end, total: promptTokens });
    }
    return { plan: this.#plans.get(bucket) as Plan, promptRows: isPrompt ? count : 0 };
  }

  async #prepare(): Promise<void> {
    const { decoder } = this.#parts;
    const buckets = new Set(this.#passes.map(({ bucket }) => bucket));
    const plans = [...buckets].map(async (bucket) => {
      this.#plans.set(bucket, await decoder.forward(bucket));
    });
    const compiled = Promise.all(plans);
    compiled.catch(() => {}); // Awaited below, when nothing writes image states any more.
    await this.#parts.encodeImages(this.request, this.sequence.computed);
    await compiled;
  }
}
