/** Half the filter's width at scale 1, and its value at a distance from the centre. */
const FILTERS = {
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

/**
 * The taps of PyTorch's antialiased uint8 resize, which works like Pillow's. Weights are normalised in
 * float64 and rounded to 16-bit fixed point, with as many fraction bits as the largest weight allows.
 *
 * @param source length of the axis in pixels
 * @param target its length after the resize
 */
export function resizeTaps(source: number, target: number, filter: Filter): Taps {
  const { starts, weights: exact } = exactTaps(source, target, filter);
  const bits = fractionBits(exact.reduce((most, weight) => Math.max(most, weight), 0));
  const weights = Int32Array.from(exact, (weight) => roundAwayFromZero(weight * 2 ** bits));
  return { starts, weights, bits };
}

/** The taps of `resizeTaps` before rounding, which PyTorch's float resize uses. */
export function exactTaps(source: number, target: number, filter: Filter): ExactTaps {
  const { support, at } = FILTERS[filter];
  const scale = source / target;
  const stretch = Math.max(scale, 1);
  const starts = new Uint32Array(2 * (target + 1));
  const exact: number[] = [];
  for (let i = 0; i < target; i++) {
    const centre = (i + 0.5) * scale;
    const low = Math.max(Math.trunc(centre - support * stretch + 0.5), 0);
    const high = Math.min(Math.trunc(centre + support * stretch + 0.5), source);
    starts.set([low, exact.length], 2 * i);
    const weights: number[] = [];
    for (let j = low; j < high; j++) weights.push(at(Math.abs((j - centre + 0.5) / stretch)));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    for (const weight of weights) exact.push(weight / sum);
  }
  starts.set([source, exact.length], 2 * target);
  return { starts, weights: exact };
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
