/** Words of a `Row` in `shaders/lib/row.wgsl`; `rope` makes its alignment 16 bytes. */
export const ROW_WORDS = 12;

/** A row that writes no key and attends to none: what fills a bucket beyond its active rows. */
export const NOWHERE = 0xffffffff;

export interface Row {
  readonly rope: readonly [temporal: number, height: number, width: number];
  /** `< V`: vocabulary id; `>= V`: row (token - V) of the image embeddings. */
  readonly token: number;
  readonly sequence: number;
  /** Where its key and value are written, or `NOWHERE`. */
  readonly position: number;
  /** It attends to keys `first ..= last`; to none where `first > last`. */
  readonly first: number;
  readonly last: number;
  readonly windowFirst: number;
  /** It attends to cross-attention keys `crossFirst ..= crossLast`; by default to none. */
  readonly crossFirst?: number;
  readonly crossLast?: number;
  /** Whether it stands at an image of the prompt or after one. Default false. */
  readonly afterImage?: boolean;
}

/** What fills a bucket beyond its active rows. */
export const IDLE_ROW: Row = {
  rope: [0, 0, 0],
  token: 0,
  sequence: 0,
  position: NOWHERE,
  first: 1,
  last: 0,
  windowFirst: 1,
};

/** Writes `row` as the `index`-th of a row buffer's words. */
export function writeRow(words: Uint32Array, index: number, row: Row): void {
  const { rope, token, sequence, position, first, last, windowFirst } = row;
  const { crossFirst = 1, crossLast = 0, afterImage = false } = row;
  const keys = [first, last, windowFirst, crossFirst, crossLast, Number(afterImage)];
  words.set([...rope, token, sequence, position, ...keys], index * ROW_WORDS);
}
