/**
 * How a tensor of a tiny checkpoint is drawn: `(mean + std * normal) * factor of its row * random
 * sign + offset`, in this order. `e2e/goldens/make/draws.py` computes the same bits.
 */
export interface Draw {
  /** Number of the sequence of random words. */
  readonly stream: number;
  readonly std: number;
  /** Default 0. */
  readonly mean?: number;
  readonly rows?: readonly (readonly [begin: number, end: number, factor: number])[];
  /** The first `count` rows become `own` times themselves plus `other` times the next `count` rows. */
  readonly blend?: readonly [count: number, own: number, other: number];
  /** Default false. */
  readonly signs?: boolean;
  /** Default 0. */
  readonly offset?: number;
}

/** Standard deviation of a sum of eight bytes, each uniform in 0..255; its mean is 1020. */
const BYTES_STD = Math.sqrt((8 * (256 ** 2 - 1)) / 12);

/** Hashes a 32-bit word, with the constants of Chris Wellons' lowbias32. */
function mix(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return x ^ (x >>> 16);
}

/** The word at a place of a stream. */
function word(stream: number, place: number): number {
  return mix(mix(place) ^ stream);
}

function sumOfBytes(word: number): number {
  const pairs = (word & 0x00ff00ff) + ((word >>> 8) & 0x00ff00ff);
  return (pairs & 0xffff) + (pairs >>> 16);
}

/**
 * @param shape sizes of the tensor, rows first
 * @returns its values in row-major order, not yet rounded to the type in which they are stored
 */
export function drawValues(draw: Draw, shape: readonly number[]): Float64Array {
  const { stream, std, mean = 0, rows = [], blend, signs, offset = 0 } = draw;
  const count = shape.reduce((product, size) => product * size, 1);
  const values = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const sum = sumOfBytes(word(stream, 2 * i)) + sumOfBytes(word(stream, 2 * i + 1));
    values[i] = mean + std * ((sum - 1020) / BYTES_STD);
  }
  const width = count / (shape[0] ?? 1);
  if (blend) {
    const [n, own, other] = blend;
    for (let i = 0; i < n * width; i++) {
      values[i] = own * (values[i] as number) + other * (values[i + n * width] as number);
    }
  }
  for (const [begin, end, factor] of rows) {
    for (let i = begin * width; i < end * width; i++) values[i] = (values[i] as number) * factor;
  }
  if (signs) {
    for (let i = 0; i < count; i++) {
      if (word(~stream, i) < 0) values[i] = -(values[i] as number);
    }
  }
  // Also for an offset of 0, which makes 0 of -0.
  return values.map((value) => value + offset);
}

/**
 * The values as a checkpoint stores them, little-endian: rounded to float32, and from there to the
 * type.
 *
 * @throws Error for a type that is not drawn
 */
export function drawBytes(draw: Draw, shape: readonly number[], dtype: string): Uint8Array {
  const singles = Float32Array.from(drawValues(draw, shape));
  if (dtype === "F32") return new Uint8Array(singles.buffer);
  if (dtype !== "BF16") throw new Error(`drawBytes: expected BF16 or F32, got ${dtype}`);
  const bits = new Uint32Array(singles.buffer);
  const halves = Uint16Array.from(bits, (x) => (x + 0x7fff + ((x >>> 16) & 1)) >>> 16);
  return new Uint8Array(halves.buffer);
}
