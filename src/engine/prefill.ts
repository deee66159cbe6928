import type { Gpu } from "../gpu/device.ts";
import type { Plan } from "../gpu/plan.ts";
import { elementCount } from "../gpu/tensor.ts";
import type { PromptPositions } from "../models/model.ts";
import { ROW_WORDS } from "../ops/row.ts";
import { SAMPLE_WORDS, writeSampling } from "../ops/sample.ts";
import { chunkEnd } from "./bidirectional-blocks.ts";
import type { CrossAttentionRange } from "./cross-attention.ts";
import type { Decoder } from "./decoder.ts";
import type { Sampling } from "./generation.ts";
import type { Sequence } from "./prefix-cache.ts";
import { writePromptRows } from "./prompt-rows.ts";

/** A prompt on its way into the cache. */
export interface Prompt {
  /** Of each position, what it looks up: an id, or V + image row. */
  readonly tokens: Uint32Array;
  readonly positions: PromptPositions | undefined;
  /** Of each position, the last one that it attends to. */
  readonly last: Uint32Array;
  /** Of each position, the image keys that it attends to, where there are any. */
  readonly imageKeys: readonly CrossAttentionRange[] | undefined;
  readonly sampling: Sampling;
  readonly sequence: Sequence;
}

/** Keys that rows see in layers that attend to a window; all where it is not told. */
export interface Windows {
  readonly prompt?: number | undefined;
  readonly answer?: number | undefined;
}

/** Computes prompts, in chunks. */
export class Prefill {
  /** Rows of prompts computed so far. */
  rows = 0;
  readonly #gpu: Gpu;
  readonly #decoder: Decoder;
  readonly #chunkRows: number;
  readonly #window: Windows;
  readonly #rowWords: Uint32Array;
  readonly #samplingWords = new Uint32Array(SAMPLE_WORDS);

  /**
   * @param chunkRows rows of the largest chunk, unless a span is larger
   * @param window of a prompt's rows, and of those that follow it
   */
  constructor(
    gpu: Gpu,
    decoder: Decoder,
    { chunkRows, window = {} }: { chunkRows: number; window?: Windows },
  ) {
    this.#gpu = gpu;
    this.#decoder = decoder;
    this.#chunkRows = chunkRows;
    this.#window = window;
    this.#rowWords = new Uint32Array(elementCount(decoder.rows.shape));
  }

  /**
   * Runs all chunks of what the sequence lacks but the last, which is left in the row buffer.
   * Waits for each chunk before the next but one, so that an abort stops the GPU within two.
   *
   * @param check called between chunks; throws when the request is to end, and after an error of
   * the device forgets what the sequence has computed
   * @returns the last chunk's plan, to be run with a sampler behind it
   */
  async run(prompt: Prompt, check: () => void): Promise<Plan> {
    const { tokens, positions, last, imageKeys, sampling, sequence } = prompt;
    const rows = {
      tokens,
      positions: positions?.positions,
      last,
      imageKeys,
      window: this.#window.prompt,
    };
    let before: Promise<undefined> | undefined;
    for (let start = sequence.computed, end = start; ; start = end) {
      end = chunkEnd(last, start, this.#chunkRows);
      const count = end - start;
      const bucket = this.#decoder.bucket(count);
      const plan = await this.#decoder.forward(bucket);
      await before;
      sequence.computed = start;
      check();
      const words = this.#rowWords.subarray(0, bucket * ROW_WORDS);
      writePromptRows(words, rows, start, count);
      this.#gpu.write(this.#decoder.rows, words);
      this.rows += count;
      if (end === tokens.length) {
        this.#decoder.chooseHead(count - 1);
        const ropeOffset = positions?.offset ?? 0;
        const window = this.#window.answer ?? 0;
        const next = { row: 0, position: tokens.length, ropeOffset, window };
        writeSampling(this.#samplingWords, 0, { ...sampling, ...next, ...imageKeys?.at(-1) });
        this.#gpu.write(this.#decoder.sampling, this.#samplingWords);
        return plan;
      }
      this.#decoder.submit(plan);
      before = this.#gpu.device.queue.onSubmittedWorkDone();
    }
  }
}
