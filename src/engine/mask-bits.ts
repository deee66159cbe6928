/** Sets the bit of a token that may be sampled, in the words of `TokenConstraint.mask`. */
export function allow(words: Uint32Array, id: number): void {
  words[id >>> 5] = (words[id >>> 5] as number) | (1 << (id & 31));
}

/** Clears the bit of a token that may not be sampled. */
export function forbid(words: Uint32Array, id: number): void {
  words[id >>> 5] = (words[id >>> 5] as number) & ~(1 << (id & 31));
}

/** @returns whether a token may be sampled; ids beyond the words may not */
export function isAllowed(words: Uint32Array, id: number): boolean {
  return (((words[id >>> 5] ?? 0) >>> (id & 31)) & 1) === 1;
}
