import type { Gpu } from "../gpu/device.ts";
import type { Tensor } from "../gpu/tensor.ts";
import {
  type LogitAdjustment,
  PENALTY_WORDS,
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

/** The running request's penalties, token history and biases, on the GPU. */
export class LogitsProcessors implements LogitAdjustment {
  /** `[1, PENALTY_WORDS]` */
  readonly penalties: Tensor;
  /** `[1, V]` */
  readonly history: Tensor;
  /** `[1, V]` */
  readonly bias: Tensor;
  readonly #gpu: Gpu;
  readonly #penalties = new Uint32Array(PENALTY_WORDS);
  readonly #history: Uint32Array;
  readonly #bias: Float32Array;

  constructor(gpu: Gpu, vocabSize: number) {
    this.#gpu = gpu;
    this.#history = new Uint32Array(vocabSize);
    this.#bias = new Float32Array(vocabSize);
    this.penalties = gpu.tensor("penalties", [1, PENALTY_WORDS], "u32");
    this.history = gpu.tensor("history", [1, vocabSize], "u32");
    this.bias = gpu.tensor("bias", [1, vocabSize]);
  }

  /** Writes the values of a request that has not generated a token yet. */
  write({ ids, stopTokenIds, sampling, minTokens = 0 }: GenerationInput): void {
    const { frequencyPenalty = 0, presencePenalty = 0, repetitionPenalty = 1 } = sampling;
    writePenalties(this.#penalties, 0, {
      frequency: frequencyPenalty,
      presence: presencePenalty,
      repetition: repetitionPenalty,
      minTokens,
    });
    writeHistory(this.#history, ids, stopTokenIds);
    this.#bias.fill(0);
    for (const [id, bias] of sampling.logitBias ?? []) this.#bias[id] = bias;
    this.#gpu.write(this.penalties, this.#penalties);
    this.#gpu.write(this.history, this.#history);
    this.#gpu.write(this.bias, this.#bias);
  }
}
