import type { Weights } from "./model.ts";

/**
 * Weights some of which the model does not see. A setting such as `attention_bias: false` leaves out
 * tensors that a file may have.
 *
 * @param hidden the names, below `w`, that are not seen
 */
export function hiddenWeights(w: Weights, hidden: RegExp, prefix = ""): Weights {
  return {
    under: (inner) => hiddenWeights(w.under(inner), hidden, `${prefix}${inner}.`),
    part: (part) => hiddenWeights(w.part(part), hidden, prefix),
    has: (name) => !hidden.test(prefix + name) && w.has(name),
    matrix: (names, D) => w.matrix(names, D),
    embedding: (names, cut) => w.embedding(names, cut),
    head: (names) => w.head(names),
    vector: (names) => w.vector(names),
  };
}
