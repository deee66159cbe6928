/**
 * Half the filter's width at scale 1, and its value at a distance from the centre. "nearest" takes the
 * pixel under the centre, at every scale.
 */
const FILTERS = {
  nearest: { support: 0, at: () => 1 },
  bilinear: { support: 1, at: (x: number) => Math.max(0, 1 - x) },
  bicubic: { support: 2, at: bicubic },
  lanczos: { support: 3, at: (x: number) => (x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

export type Filter = keyof typeof FILTERS;

/** The filter taps of each output position on one axis, in fixed point. */
export interface Taps {
  /**
   * `[target + 1, 2]`: an output's first input position, and the index of its first weight. The last
   * row only marks the end of the weights.
   */
  readonly starts: Uint32Array<ArrayBuffer>;
  /** The weights of all outputs, one output after another. Each fits in 16 bits. */
  readonly weights: Int32Array<ArrayBuffer>;
  /** Fraction bits of the weights. */
  readonly bits: number;
}

/** The filter taps of each output position on one axis, in float64. */
export interface ExactTaps {
  /** As in `Taps`. */
  readonly starts: Uint32Array<ArrayBuffer>;
  /** The weights of all outputs, one output after another. Those of an output sum to 1. */
  readonly weights: readonly number[];
}

/** A run of the output positions of an axis. */
export interface Kept {
  readonly first: number;
  readonly count: number;
}

/**
 * The taps of PyTorch's antialiased uint8 resize, which works like Pillow's. Weights are normalised in
 * float64 and rounded to 16-bit fixed point, with as many fraction bits as the largest weight allows.
 *
 * @param source length of the axis in pixels
 * @param target its length after the resize
 * @param kept the output positions whose taps are needed, by default all. Their rows of `starts`
 *   begin at 0
 */
export function resizeTaps(
  source: number,
  target: number,
  filter: Filter,
  kept: Kept = { first: 0, count: target },
): Taps {
  const { starts, weights: exact } = exactTaps(source, target, filter, kept);
  // The positions that are left out count too.
  const bits = fractionBits(largestWeight(source, target, filter));
  const weights = Int32Array.from(exact, (weight) => roundAwayFromZero(weight * 2 ** bits));
  return { starts, weights, bits };
}

/** The taps of `resizeTaps` before rounding, which PyTorch's float resize uses. */
export function exactTaps(
  source: number,
  target: number,
  filter: Filter,
  { first, count }: Kept = { first: 0, count: target },
): ExactTaps {
  const { support, at } = FILTERS[filter];
  const scale = source / target;
  const stretch = Math.max(scale, 1);
  const starts = new Uint32Array(2 * (count + 1));
  const exact: number[] = [];
  for (let i = 0; i < count; i++) {
    const { centre, low, high } = tapRange(first + i, scale, support * stretch, source);
    starts.set([low, exact.length], 2 * i);
    const weights: number[] = [];
    for (let j = low; j < high; j++) weights.push(at(Math.abs((j - centre + 0.5) / stretch)));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    for (const weight of weights) exact.push(weight / sum);
  }
  starts.set([source, exact.length], 2 * count);
  return { starts, weights: exact };
}

/** The largest weight of all outputs. There may be millions, so that no list is made. */
function largestWeight(source: number, target: number, filter: Filter): number {
  const { support, at } = FILTERS[filter];
  const scale = source / target;
  const stretch = Math.max(scale, 1);
  let largest = 0;
  for (let i = 0; i < target; i++) {
    const { centre, low, high } = tapRange(i, scale, support * stretch, source);
    let sum = 0;
    let most = 0;
    for (let j = low; j < high; j++) {
      const weight = at(Math.abs((j - centre + 0.5) / stretch));
      sum += weight;
      if (weight > most) most = weight;
    }
    if (most > largest * sum) largest = most / sum;
  }
  return largest;
}

/** The inputs `low ..< high` that output `i` is made of, and the point between them that it shows. */
function tapRange(i: number, scale: number, reach: number, source: number) {
  const centre = (i + 0.5) * scale;
  if (reach === 0) {
    // torch's "nearest-exact" computes in float32.
    const position = Math.floor(Math.fround(Math.fround(i + 0.5) * Math.fround(scale)));
    const low = Math.min(position, source - 1);
    return { centre, low, high: low + 1 };
  }
  const low = Math.max(Math.trunc(centre - reach + 0.5), 0);
  const high = Math.min(Math.trunc(centre + reach + 0.5), source);
  return { centre, low, high };
}

/** @returns the fraction bits with which `largest` fits in 16 bits, at most 22 */
function fractionBits(largest: number): number {
  let bits = 0;
  while (bits < 22 && Math.trunc(0.5 + largest * 2 ** (bits + 1)) < 2 ** 15) bits++;
  return bits;
}

function roundAwayFromZero(x: number): number {
  return Math.trunc(x < 0 ? x - 0.5 : x + 0.5);
}

/** Cubic convolution with a = -0.5 (R. Keys, 1981). */
function bicubic(x: number): number {
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * -0.5;
  return 0;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}
