import type { GeneratedToken, GenerationInput, TokenGenerator } from "../src/engine/generation.ts";

/**
 * Generates the ids of a script that the request's constraint allows. Where the constraint forbids one,
 * and after the script, it generates a stop token if that is allowed, else the lowest allowed id.
 */
export class ConstrainedGenerator implements TokenGenerator {
  readonly contextLength = 2048;
  readonly inputs: GenerationInput[] = [];
  readonly #vocabSize: number;
  readonly ids: readonly number[];

  constructor(vocabSize: number, ids: readonly number[] = []) {
    this.#vocabSize = vocabSize;
    this.ids = ids;
  }

  async *generate(input: GenerationInput): AsyncGenerator<GeneratedToken, void, void> {
    this.inputs.push(input);
    const { constraint, maxTokens, stopTokenIds } = input;
    for (let step = 0; step < maxTokens; step++) {
      const words = new Uint32Array(Math.ceil(this.#vocabSize / 32));
      const isMasked = await constraint?.mask(words);
      const isAllowed = (id: number) =>
        !isMasked || (((words[id >>> 5] as number) >>> (id & 31)) & 1) === 1;
      const all = Array.from({ length: this.#vocabSize }, (_, id) => id);
      const wanted = [...this.ids.slice(step, step + 1), ...stopTokenIds, ...all];
      const token = wanted.find(isAllowed);
      if (token === undefined)
        throw new Error("ConstrainedGenerator: the constraint allows no token");
      constraint?.accept(token);
      yield { token };
      if (stopTokenIds.includes(token)) return;
    }
  }
}
