import type { Gpu } from "../gpu/device.ts";
import type { Tensor } from "../gpu/tensor.ts";
import {
  type LogitAdjustment,
  NO_PENALTIES,
  PENALTY_WORDS,
  type Penalties,
  countGenerated,
  writeHistory,
  writePenalties,
} from "../ops/adjust-logits.ts";
import type { GenerationInput } from "./generation.ts";

/** @returns whether a request has penalties, biases or `minTokens`, which change the model's logits */
export function processesLogits({ sampling, minTokens = 0 }: GenerationInput): boolean {
  const { frequencyPenalty = 0, presencePenalty = 0, repetitionPenalty = 1, logitBias } = sampling;
  return (
    frequencyPenalty !== 0 ||
    presencePenalty !== 0 ||
    repetitionPenalty !== 1 ||
    minTokens > 0 ||
    (logitBias?.size ?? 0) > 0
  );
}

/** The penalties, token histories and biases of running requests, on the GPU. */
export class LogitsProcessors implements LogitAdjustment {
  /** `[slots, PENALTY_WORDS]` */
  readonly penalties: Tensor;
  /** `[slots, V]` */
  readonly history: Tensor;
  /** `[slots, V]` */
  readonly bias: Tensor;
  readonly #gpu: Gpu;
  readonly #vocabSize: number;
  readonly #penalties = new Uint32Array(PENALTY_WORDS);
  readonly #words: Uint32Array;
  /** Whether a slot has biases other than 0. */
  readonly #isBiased: boolean[];

  /** All slots change nothing. */
  constructor(gpu: Gpu, vocabSize: number, slots: number) {
    this.#gpu = gpu;
    this.#vocabSize = vocabSize;
    this.#words = new Uint32Array(vocabSize);
    this.#isBiased = new Array<boolean>(slots).fill(false);
    this.penalties = gpu.tensor("penalties", [slots, PENALTY_WORDS], "u32");
    this.history = gpu.tensor("history", [slots, vocabSize], "u32");
    this.bias = gpu.tensor("bias", [slots, vocabSize]);
    for (let slot = 0; slot < slots; slot++) this.clear(slot);
  }

  get tensors(): readonly Tensor[] {
    return [this.penalties, this.history, this.bias];
  }

  /** Writes the values of a request to a slot. The history counts the `generated` tokens. */
  write(
    slot: number,
    { ids, stopTokenIds, sampling, minTokens = 0 }: GenerationInput,
    generated: readonly number[],
  ): void {
    const { frequencyPenalty = 0, presencePenalty = 0, repetitionPenalty = 1 } = sampling;
    this.#writePenalties(slot, {
      frequency: frequencyPenalty,
      presence: presencePenalty,
      repetition: repetitionPenalty,
      minTokens,
    });
    writeHistory(this.#words, ids, stopTokenIds);
    countGenerated(this.#words, generated);
    this.#gpu.write(this.history, this.#words, slot * this.#vocabSize);
    this.#writeBias(slot, sampling.logitBias);
  }

  /** Makes a slot's logits those of the model. */
  clear(slot: number): void {
    this.#writePenalties(slot, NO_PENALTIES);
    this.#writeBias(slot);
  }

  /** Call it when the tensors' rows have been moved from a slot to another. */
  move(from: number, to: number): void {
    this.#isBiased[to] = this.#isBiased[from] as boolean;
  }

  #writePenalties(slot: number, penalties: Penalties): void {
    writePenalties(this.#penalties, 0, penalties);
    this.#gpu.write(this.penalties, this.#penalties, slot * PENALTY_WORDS);
  }

  #writeBias(slot: number, biases?: ReadonlyMap<number, number>): void {
    const isBiased = (biases?.size ?? 0) > 0;
    if (!isBiased && !this.#isBiased[slot]) return;
    this.#isBiased[slot] = isBiased;
    const values = new Float32Array(this.#words.buffer).fill(0);
    for (const [id, bias] of biases ?? []) values[id] = bias;
    this.#gpu.write(this.bias, values, slot * this.#vocabSize);
  }
}
