import type { Gpu } from "../gpu/device.ts";
import { ROW_WORDS } from "../ops/row.ts";
import { chunkEnd } from "./bidirectional-blocks.ts";
import type { Decoder, ForwardPass } from "./decoder.ts";
import { prefillBucket } from "./prefill-bucket.ts";
import type { Sequence } from "./prefix-cache.ts";
import { type PromptRows, writePromptRows } from "./prompt-rows.ts";

/** Computes prompts, in chunks. */
export class Prefill {
  /** Token rows of prompts computed so far. */
  rows = 0;
  readonly #gpu: Gpu;
  readonly #decoder: Decoder;
  readonly #words: Uint32Array;

  constructor(gpu: Gpu, decoder: Decoder) {
    this.#gpu = gpu;
    this.#decoder = decoder;
    this.#words = new Uint32Array(decoder.limits.maxRows * ROW_WORDS);
  }

  /**
   * Submits the chunks of what `sequence` lacks of a prompt, except the last one, which it leaves in
   * the row buffer. Waits for each chunk before it submits the next, so that `sequence.computed` counts
   * finished rows only and an abort stops the GPU within a chunk.
   *
   * @param check called before each chunk; what it throws ends the prefill
   * @returns the pass over the last chunk
   */
  async run(prompt: PromptRows, sequence: Sequence, check: () => void): Promise<ForwardPass> {
    const { limits } = this.#decoder;
    let before: Promise<undefined> | undefined;
    for (let start = sequence.computed, end = start; ; start = end) {
      end = chunkEnd(prompt, start, limits.preparedRows);
      const count = end - start;
      const bucket = prefillBucket(count, limits);
      const forward = { plan: await this.#decoder.forward(bucket), headRow: count - 1 };
      await before;
      sequence.computed = start;
      check();
      const words = this.#words.subarray(0, bucket * ROW_WORDS);
      writePromptRows(words, prompt, start, count);
      this.#decoder.writeRows(words);
      this.rows += count;
      if (end === prompt.tokens.length) return forward;
      this.#decoder.submit(forward);
      before = this.#gpu.device.queue.onSubmittedWorkDone();
    }
  }
}
