import type { Gpu } from "../gpu/device.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { maskWords } from "../ops/mask-logits.ts";
import type { TokenConstraint } from "./generation.ts";
import { isAllowed } from "./mask-bits.ts";

/** The tokens that the running request's constraint allows next, on the CPU and on the GPU. */
export class TokenMask {
  /** `[1, maskWords(V)]` */
  readonly tensor: Tensor;
  readonly #gpu: Gpu;
  readonly #words: Uint32Array<ArrayBuffer>;
  /** The bits of the last word that stand for tokens. */
  readonly #lastBits: number;
  #isMasked = false;

  constructor(gpu: Gpu, vocabSize: number) {
    const words = maskWords(vocabSize);
    this.#gpu = gpu;
    this.#words = new Uint32Array(words);
    this.#lastBits = 0xffffffff >>> (32 * words - vocabSize);
    this.tensor = gpu.tensor("token mask", [1, words], "u32");
  }

  /**
   * Asks the constraint for the next mask and uploads it.
   *
   * @returns false when every token may be sampled; then nothing is uploaded
   * @throws Error when the constraint allows no token
   */
  async update(constraint: TokenConstraint): Promise<boolean> {
    const words = this.#words.fill(0);
    this.#isMasked = await constraint.mask(words);
    if (!this.#isMasked) return false;
    const last = words.length - 1;
    words[last] = (words[last] as number) & this.#lastBits;
    if (words.every((word) => word === 0)) {
      throw new Error("TokenMask.update: the constraint allows no token");
    }
    this.#gpu.write(this.tensor, words);
    return true;
  }

  /**
   * Checks a token that was sampled under the last mask.
   *
   * @throws Error when the mask forbids it, because all allowed logits are NaN or -inf
   */
  check(token: number): void {
    if (!this.#isMasked || isAllowed(this.#words, token)) return;
    throw new Error(`TokenMask.check: sampled token ${token}, which the constraint forbids`);
  }
}
