import type { Gpu } from "../gpu/device.ts";
import type { Plan } from "../gpu/plan.ts";
import type { PromptPositions } from "../models/model.ts";
import { ROW_WORDS } from "../ops/row.ts";
import { SAMPLE_WORDS, writeSampling } from "../ops/sample.ts";
import type { Decoder } from "./decoder.ts";
import type { Sampling } from "./generation.ts";
import type { Sequence } from "./prefix-cache.ts";
import { writePromptRows } from "./prompt-rows.ts";

/** A prompt on its way into the cache. */
export interface Prompt {
  /** Of each position, what it looks up: an id, or V + image row. */
  readonly tokens: Uint32Array;
  readonly positions: PromptPositions | undefined;
  readonly sampling: Sampling;
  readonly sequence: Sequence;
}

/** Computes prompts, in chunks. */
export class Prefill {
  /** Rows of prompts computed so far. */
  rows = 0;
  readonly #gpu: Gpu;
  readonly #decoder: Decoder;
  readonly #chunkRows: number;
  readonly #rowWords: Uint32Array;
  readonly #samplingWords = new Uint32Array(SAMPLE_WORDS);

  /** @param chunkRows rows of the largest chunk: the decoder's `maxRows` */
  constructor(gpu: Gpu, decoder: Decoder, chunkRows: number) {
    this.#gpu = gpu;
    this.#decoder = decoder;
    this.#chunkRows = chunkRows;
    this.#rowWords = new Uint32Array(chunkRows * ROW_WORDS);
  }

  /**
   * Runs all chunks of what the sequence lacks but the last, which is left in the row buffer.
   * Waits for each chunk before the next but one, so that an abort stops the GPU within two.
   *
   * @param check called between chunks; throws when the request is to end, and after an error of
   * the device forgets what the sequence has computed
   * @returns the last chunk's plan, to be run with a sampler behind it
   */
  async run({ tokens, positions, sampling, sequence }: Prompt, check: () => void): Promise<Plan> {
    let before: Promise<undefined> | undefined;
    for (let start = sequence.computed; ; start += this.#chunkRows) {
      const count = Math.min(this.#chunkRows, tokens.length - start);
      const bucket = this.#decoder.bucket(count);
      const plan = await this.#decoder.forward(bucket);
      await before;
      sequence.computed = start;
      check();
      const words = this.#rowWords.subarray(0, bucket * ROW_WORDS);
      writePromptRows(words, { tokens, positions: positions?.positions }, start, count);
      this.#gpu.write(this.#decoder.rows, words);
      this.rows += count;
      if (start + count === tokens.length) {
        this.#decoder.chooseHead(count - 1);
        const ropeOffset = positions?.offset ?? 0;
        const next = { row: 0, position: tokens.length, ropeOffset };
        writeSampling(this.#samplingWords, 0, { ...sampling, ...next });
        this.#gpu.write(this.#decoder.sampling, this.#samplingWords);
        return plan;
      }
      this.#decoder.submit(plan);
      before = this.#gpu.device.queue.onSubmittedWorkDone();
    }
  }
}
