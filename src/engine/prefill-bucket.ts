/**
 * Sizes of prefill plans, in token rows. A chunk with one row more than a bucket holds runs in the
 * next one.
 *
 * No bucket is so small that it would run the kernels of a decode step, because those add in another
 * order. So the numbers of a prompt's row depend neither on how the prompt was cut into chunks nor on
 * how much of it was cached.
 */
const BUCKETS = [32, 64, 128, 256, 512, 1024];

/** Larger buckets are multiples of this many rows. */
const LARGE_STEP = 1024;

/** What limits the size of a prefill chunk, in token rows. */
export interface ChunkLimits {
  /** The largest chunk whose plan is compiled at load. */
  readonly preparedRows: number;
  /** The largest chunk that a bidirectional block may need. */
  readonly maxRows: number;
}

/**
 * @returns rows of the smallest bucket that holds a chunk of `rows` rows
 * @throws RangeError when no chunk may have that many
 */
export function prefillBucket(rows: number, { preparedRows, maxRows }: ChunkLimits): number {
  if (rows > maxRows) {
    throw new RangeError(`prefillBucket: chunk of ${rows} rows, expected at most ${maxRows}`);
  }
  if (rows <= preparedRows) {
    return BUCKETS.find((size) => size >= rows && size < preparedRows) ?? preparedRows;
  }
  const step = BUCKETS.find((size) => size >= rows) ?? LARGE_STEP;
  return Math.min(Math.ceil(rows / step) * step, maxRows);
}
