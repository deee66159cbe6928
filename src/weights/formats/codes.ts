/** @returns the words that a row of `count` codes of `bits` bits takes */
export function codeWords(count: number, bits: number): number {
  return Math.ceil((count * bits) / 32);
}

/** @returns code `i` of `bits` bits of a dense stream that begins at word `begin`, lowest bits first */
export function codeAt(words: Uint32Array, begin: number, i: number, bits: number): number {
  const first = i * bits;
  const at = begin + (first >>> 5);
  const shift = first & 31;
  const low = words[at]! >>> shift;
  const high = shift + bits > 32 ? words[at + 1]! << (32 - shift) : 0;
  return (low | high) & ((1 << bits) - 1);
}

/** Writes code `i` of a stream of zeros. */
export function putCode(
  words: Uint32Array,
  begin: number,
  i: number,
  bits: number,
  code: number,
): void {
  const first = i * bits;
  const at = begin + (first >>> 5);
  const shift = first & 31;
  words[at]! |= code << shift;
  if (shift + bits > 32) words[at + 1]! |= code >>> (32 - shift);
}
