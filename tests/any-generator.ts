import type { GeneratedToken, GenerationInput, TokenGenerator } from "../src/engine/generation.ts";

/** Size of the sample checkpoint's vocabulary. */
const VOCABULARY = 1024;

/** Samples any of the tokens that a request's constraint allows, up to a stop token. */
export class AnyGenerator implements TokenGenerator {
  readonly contextLength = 4096;
  readonly inputs: GenerationInput[] = [];
  readonly #next: (below: number) => number;

  /** @param next returns a random integer from 0 to `below` - 1 */
  constructor(next: (below: number) => number) {
    this.#next = next;
  }

  async *generate(input: GenerationInput): AsyncGenerator<GeneratedToken, void, void> {
    this.inputs.push(input);
    for (let i = 0; i < input.maxTokens; i++) {
      const words = new Uint32Array(Math.ceil(VOCABULARY / 32));
      if (!(await input.constraint?.mask(words)))
        throw new Error("AnyGenerator: the request has no constraint");
      const ids = Array.from({ length: VOCABULARY }, (_, id) => id).filter(
        (id) => ((words[id >>> 5] as number) >>> (id & 31)) & 1,
      );
      const token = ids[this.#next(ids.length)] as number;
      input.constraint?.accept(token);
      yield { token };
      if (input.stopTokenIds.includes(token)) return;
    }
  }
}
