/** Words of a `Row` in `shaders/lib/row.wgsl`, whose `rope` is aligned to 16 bytes. */
export const ROW_WORDS = 12;

/** The position of a row that writes no key, and the row of a sampling slot that is idle. */
export const NOWHERE = 0xffffffff;

/** A token row or patch row, as the kernels read it. */
export interface Row {
  readonly rope: readonly [temporal: number, height: number, width: number];
  /** A token id below V, or V + index of an image embedding. */
  readonly token: number;
  /** Index of the sequence in the page table. */
  readonly sequence: number;
  /** Position in the sequence, where the row's key and value are written; or `NOWHERE`. */
  readonly position: number;
  /** The row attends to keys `first ..= last`; to none when `first > last`. */
  readonly first: number;
  readonly last: number;
  /** Replaces `first` in sliding-window layers. */
  readonly windowFirst: number;
  /** The row attends to cross-attention keys `crossFirst ..= crossLast`. Default: to none. */
  readonly crossFirst?: number;
  readonly crossLast?: number;
  /** Whether the row is at or after an image of the prompt. Default false. */
  readonly afterImage?: boolean;
}

/** Fills a bucket after its last row. Writes no key and attends to none. */
export const IDLE_ROW: Row = {
  rope: [0, 0, 0],
  token: 0,
  sequence: 0,
  position: NOWHERE,
  first: 1,
  last: 0,
  windowFirst: 1,
};

/** Writes row `index` of a row buffer, `[T, ROW_WORDS]`. */
export function writeRow(words: Uint32Array, index: number, row: Row): void {
  const { rope, token, sequence, position, first, last, windowFirst } = row;
  const { crossFirst = 1, crossLast = 0, afterImage = false } = row;
  const keys = [first, last, windowFirst, crossFirst, crossLast, Number(afterImage)];
  words.set([...rope, token, sequence, position, ...keys], index * ROW_WORDS);
}
