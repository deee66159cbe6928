import type { GeneratedToken, GenerationInput, TokenGenerator } from "../src/engine/generation.ts";

/**
 * Draws the ids of a script one after another, where the request's constraint lets them be drawn;
 * where not, or when the script has run out, the lowest that it does, the end first of all.
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
    for (let drawn = 0; drawn < maxTokens; drawn++) {
      const words = new Uint32Array(Math.ceil(this.#vocabSize / 32));
      const restricts = await constraint?.mask(words);
      const isAllowed = (id: number) =>
        !restricts || (((words[id >>> 5] as number) >>> (id & 31)) & 1) === 1;
      const all = Array.from({ length: this.#vocabSize }, (_, id) => id);
      const wanted = [...this.ids.slice(drawn, drawn + 1), ...stopTokenIds, ...all];
      const token = wanted.find(isAllowed);
      if (token === undefined) throw new Error("ConstrainedGenerator: nothing may be drawn");
      constraint?.accept(token);
      yield { token };
      if (stopTokenIds.includes(token)) return;
    }
  }
}
