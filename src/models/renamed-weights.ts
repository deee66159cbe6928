import type { Weights } from "./model.ts";

/**
 * Weights whose names in the checkpoint differ from those that a shared block uses.
 *
 * @param rename translates a full name, below `w`, to the checkpoint's
 */
export function renamedWeights(w: Weights, rename: (name: string) => string, prefix = ""): Weights {
  const all = (names: string | readonly string[]) => [names].flat().map((n) => rename(prefix + n));
  return {
    under: (inner) => renamedWeights(w, rename, `${prefix}${inner}.`),
    part: (part) => renamedWeights(w.part(part), rename, prefix),
    has: (name) => w.has(rename(prefix + name)),
    matrix: (names, D) => w.matrix(all(names), D),
    embedding: (names, cut) => w.embedding(all(names), cut),
    head: (names) => w.head(all(names)),
    vector: (names) => w.vector(all(names)),
  };
}
