/** Marks a token in the words of `TokenConstraint.mask` as one that may be drawn. */
export function allow(words: Uint32Array, id: number): void {
  words[id >>> 5] = (words[id >>> 5] as number) | (1 << (id & 31));
}

/** Marks a token as one that may not be drawn. */
export function forbid(words: Uint32Array, id: number): void {
  words[id >>> 5] = (words[id >>> 5] as number) & ~(1 << (id & 31));
}

export function isAllowed(words: Uint32Array, id: number): boolean {
  return (((words[id >>> 5] ?? 0) >>> (id & 31)) & 1) === 1;
}
