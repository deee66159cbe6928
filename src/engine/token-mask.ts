import type { Gpu } from "../gpu/device.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { maskWords } from "../ops/mask-logits.ts";
import type { TokenConstraint } from "./generation.ts";
import { isAllowed } from "./mask-bits.ts";

/** What the constraint of the request under way allows next, on both sides. */
export class TokenMask {
  /** `[1, maskWords(V)]` */
  readonly tensor: Tensor;
  readonly #gpu: Gpu;
  readonly #words: Uint32Array<ArrayBuffer>;
  /** Bits of the last word that stand for tokens. */
  readonly #lastBits: number;
  #restricts = false;

  constructor(gpu: Gpu, vocabSize: number) {
    const words = maskWords(vocabSize);
    this.#gpu = gpu;
    this.#words = new Uint32Array(words);
    this.#lastBits = 0xffffffff >>> (32 * words - vocabSize);
    this.tensor = gpu.tensor("token mask", [1, words], "u32");
  }

  /**
   * Asks what may be drawn next, and uploads it.
   *
   * @returns whether anything may not
   * @throws Error when nothing may
   */
  async update(constraint: TokenConstraint): Promise<boolean> {
    const words = this.#words.fill(0);
    this.#restricts = await constraint.mask(words);
    if (!this.#restricts) return false;
    const last = words.length - 1;
    words[last] = (words[last] as number) & this.#lastBits;
    if (words.every((word) => word === 0)) {
      throw new Error("TokenMask.update: the constraint allows no token at all");
    }
    this.#gpu.write(this.tensor, words);
    return true;
  }

  /**
   * Throws Error when `token`, drawn under this mask, is not allowed: no allowed token has a logit
   * that is a number.
   */
  check(token: number): void {
    if (!this.#restricts || isAllowed(this.#words, token)) return;
    throw new Error(`TokenMask.check: token ${token} was drawn, which the constraint forbids`);
  }
}
