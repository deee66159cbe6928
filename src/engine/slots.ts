import type { Gpu } from "../gpu/device.ts";
import { type Tensor, bufferOf, byteSize } from "../gpu/tensor.ts";
import { LOGPROB_WORDS } from "../ops/logprobs.ts";
import { IDLE_ROW, ROW_WORDS, type Row, writeRow } from "../ops/row.ts";
import {
  IDLE_SAMPLING,
  SAMPLE_WORDS,
  SAMPLING_ROW_WORD,
  type SequenceSampling,
  writeSampling,
} from "../ops/sample.ts";
import type { GenerationInput } from "./generation.ts";
import { LogitsProcessors, processesLogits } from "./logits-processors.ts";
import { TokenMask } from "./token-mask.ts";

/** Sequences that one decode step computes, at most. */
export const MAX_SLOTS = 8;

/** What the rows of a sequence's generated tokens need; see `SequenceSampling`. */
export type GeneratedRows = Pick<
  SequenceSampling,
  "sequence" | "ropeOffset" | "window" | "crossFirst" | "crossLast"
>;

/** A sequence whose next token is sampled in a slot. */
export interface SlotState {
  readonly input: GenerationInput;
  readonly rows: GeneratedRows;
  /**
   * Tokens generated so far. The key of the last one is not computed yet. Where there is none, the next
   * token is sampled from the prompt's last row.
   */
  readonly tokens: readonly number[];
}

/** @returns the row of the n-th generated token, as `shaders/lib/advance.wgsl` writes it */
export function generatedRow({ input: { ids }, rows, tokens }: SlotState, n: number): Row {
  const { sequence = 0, ropeOffset = 0, window = 0, crossFirst = 1, crossLast = 0 } = rows;
  const position = ids.length + n;
  const rope = position + ropeOffset;
  return {
    rope: [rope, rope, rope],
    token: tokens[n] as number,
    sequence,
    position,
    first: 0,
    last: position,
    windowFirst: window > 0 ? Math.max(0, position + 1 - window) : 0,
    crossFirst,
    crossLast,
    afterImage: crossFirst <= crossLast,
  };
}

/** What a decode step reads and writes about each of its sequences: one slot, or row, of each tensor. */
export class Slots {
  /** `[MAX_SLOTS, ROW_WORDS]`, the row that the next decode step computes, written by samplers. */
  readonly rows: Tensor;
  /** `[MAX_SLOTS, SAMPLE_WORDS]` */
  readonly sampling: Tensor;
  /** `[MAX_SLOTS]`, the last sampled token. */
  readonly tokens: Tensor;
  /** `[MAX_SLOTS]`, how many of the most likely tokens `logprobs` lists. */
  readonly topLogprobs: Tensor;
  /** `[MAX_SLOTS, LOGPROB_WORDS]` */
  readonly logprobs: Tensor;
  readonly #gpu: Gpu;
  readonly #vocabSize: number;
  readonly #rowWords = new Uint32Array(ROW_WORDS);
  readonly #samplingWords = new Uint32Array(SAMPLE_WORDS);
  #processors: LogitsProcessors | undefined;
  #mask: TokenMask | undefined;
  /** Holds a slot on its way to another: a buffer can't be copied to itself. */
  #moved: GPUBuffer | undefined;

  constructor(gpu: Gpu, vocabSize: number) {
    this.#gpu = gpu;
    this.#vocabSize = vocabSize;
    this.rows = gpu.tensor("rows", [MAX_SLOTS, ROW_WORDS], "u32");
    this.sampling = gpu.tensor("sampling", [MAX_SLOTS, SAMPLE_WORDS], "u32");
    this.tokens = gpu.tensor("tokens", [MAX_SLOTS], "u32");
    this.topLogprobs = gpu.tensor("top logprobs", [MAX_SLOTS], "u32");
    this.logprobs = gpu.tensor("logprobs", [MAX_SLOTS, LOGPROB_WORDS], "u32");
    for (let slot = 0; slot < MAX_SLOTS; slot++) this.clear(slot);
  }

  /** The buffers that logits processors read, made on first use: they have V elements a slot. */
  get processors(): LogitsProcessors {
    this.#processors ??= new LogitsProcessors(this.#gpu, this.#vocabSize, MAX_SLOTS);
    return this.#processors;
  }

  /** The tokens that masked samplers allow, made on first use. */
  get mask(): TokenMask {
    this.#mask ??= new TokenMask(this.#gpu, this.#vocabSize, MAX_SLOTS);
    return this.#mask;
  }

  /** Writes everything about a sequence to a slot. */
  begin(slot: number, state: SlotState): void {
    const { input, rows, tokens } = state;
    const step = tokens.length;
    this.#writeRow(slot, step > 0 ? generatedRow(state, step - 1) : IDLE_ROW);
    this.#writeSampling(slot, {
      ...input.sampling,
      ...rows,
      row: slot,
      step,
      position: input.ids.length + step,
    });
    if (step > 0) this.#gpu.write(this.tokens, Uint32Array.of(tokens[step - 1] as number), slot);
    this.#gpu.write(this.topLogprobs, Uint32Array.of(input.logprobs ?? 0), slot);
    if (processesLogits(input)) this.processors.write(slot, input, tokens.slice(0, -1));
    else this.#processors?.clear(slot);
  }

  /** Makes a slot idle. */
  clear(slot: number): void {
    this.#writeRow(slot, IDLE_ROW);
    this.#writeSampling(slot, IDLE_SAMPLING);
  }

  /** Moves a sequence to another slot, and makes its own idle. Waits for nothing. */
  move(from: number, to: number): void {
    const { rows, sampling, tokens, topLogprobs } = this;
    const encoder = this.#gpu.device.createCommandEncoder({ label: "slot move" });
    const moved = (this.#moved ??= this.#gpu.buffer(
      "moved slot",
      Math.max(ROW_WORDS, SAMPLE_WORDS, this.#vocabSize) * 4,
      GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    ));
    for (const tensor of [
      rows,
      sampling,
      tokens,
      topLogprobs,
      ...(this.#processors?.tensors ?? []),
    ]) {
      const size = byteSize(tensor) / MAX_SLOTS;
      encoder.copyBufferToBuffer(bufferOf(tensor), from * size, moved, 0, size);
      encoder.copyBufferToBuffer(moved, 0, bufferOf(tensor), to * size, size);
    }
    this.#gpu.device.queue.submit([encoder.finish()]);
    this.#gpu.write(sampling, Uint32Array.of(to), to * SAMPLE_WORDS + SAMPLING_ROW_WORD);
    this.#processors?.move(from, to);
    this.clear(from);
  }

  #writeRow(slot: number, row: Row): void {
    writeRow(this.#rowWords, 0, row);
    this.#gpu.write(this.rows, this.#rowWords, slot * ROW_WORDS);
  }

  #writeSampling(slot: number, settings: SequenceSampling): void {
    writeSampling(this.#samplingWords, 0, settings);
    this.#gpu.write(this.sampling, this.#samplingWords, slot * SAMPLE_WORDS);
  }
}
