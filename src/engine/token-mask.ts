import type { Gpu } from "../gpu/device.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { maskWords } from "../ops/mask-logits.ts";
import type { TokenConstraint } from "./generation.ts";
import { isAllowed } from "./mask-bits.ts";

/** The tokens that the constraints of running requests allow next, on the CPU and on the GPU. */
export class TokenMask {
  /** `[slots, maskWords(V)]` */
  readonly tensor: Tensor;
  readonly #gpu: Gpu;
  /** Those of each slot. All bits of a slot without a constraint are 1. */
  readonly #words: readonly Uint32Array<ArrayBuffer>[];
  /** The bits of the last word that stand for tokens. */
  readonly #lastBits: number;
  readonly #isMasked: boolean[];

  constructor(gpu: Gpu, vocabSize: number, slots = 1) {
    const words = maskWords(vocabSize);
    this.#gpu = gpu;
    this.#words = Array.from({ length: slots }, () => new Uint32Array(words));
    this.#isMasked = new Array<boolean>(slots).fill(true);
    this.#lastBits = 0xffffffff >>> (32 * words - vocabSize);
    this.tensor = gpu.tensor("token mask", [slots, words], "u32");
    for (let slot = 0; slot < slots; slot++) this.allowAll(slot);
  }

  /**
   * Asks a slot's constraint for its next mask and uploads it.
   *
   * @returns false when every token may be sampled
   * @throws Error when the constraint allows no token; then the slot allows every token
   */
  async update(slot: number, constraint: TokenConstraint): Promise<boolean> {
    const words = this.#words[slot] as Uint32Array<ArrayBuffer>;
    words.fill(0);
    this.#isMasked[slot] = true;
    try {
      if (!(await constraint.mask(words))) {
        this.allowAll(slot);
        return false;
      }
      const last = words.length - 1;
      words[last] = (words[last] as number) & this.#lastBits;
      if (words.every((word) => word === 0)) {
        throw new Error("TokenMask.update: the constraint allows no token");
      }
    } catch (error) {
      this.allowAll(slot);
      throw error;
    }
    this.#gpu.write(this.tensor, words, slot * words.length);
    return true;
  }

  /** Allows every token in a slot. */
  allowAll(slot: number): void {
    if (!this.#isMasked[slot]) return;
    this.#isMasked[slot] = false;
    const words = (this.#words[slot] as Uint32Array<ArrayBuffer>).fill(0xffffffff);
    this.#gpu.write(this.tensor, words, slot * words.length);
  }

  /**
   * Checks a token that was sampled under a slot's last mask.
   *
   * @throws Error when the mask forbids it, because all allowed logits are NaN or -inf
   */
  check(slot: number, token: number): void {
    if (isAllowed(this.#words[slot] as Uint32Array, token)) return;
    throw new Error(`TokenMask.check: sampled token ${token}, which the constraint forbids`);
  }
}
