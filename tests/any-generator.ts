import type { GeneratedToken, GenerationInput, TokenGenerator } from "../src/engine/generation.ts";

/** Samples any of the tokens that a request's constraint allows, up to a stop token. */
export class AnyGenerator implements TokenGenerator {
  readonly contextLength = 4096;
  readonly inputs: GenerationInput[] = [];
  readonly #next: (below: number) => number;
  readonly #vocabulary: number;

  /**
   * @param next returns a random integer from 0 to `below` - 1
   * @param vocabulary how many tokens there are. Default: those of the sample checkpoint
   */
  constructor(next: (below: number) => number, vocabulary = 1024) {
    this.#next = next;
    this.#vocabulary = vocabulary;
  }

  async *generate(input: GenerationInput): AsyncGenerator<GeneratedToken, void, void> {
    this.inputs.push(input);
    for (let i = 0; i < input.maxTokens; i++) {
      const words = new Uint32Array(Math.ceil(this.#vocabulary / 32));
      const isMasked = await input.constraint?.mask(words);
      const ids = Array.from({ length: this.#vocabulary }, (_, id) => id).filter(
        (id) => !isMasked || ((words[id >>> 5] as number) >>> (id & 31)) & 1,
      );
      const token = ids[this.#next(ids.length)] as number;
      input.constraint?.accept(token);
      yield { token };
      if (input.stopTokenIds.includes(token)) return;
    }
  }
}
