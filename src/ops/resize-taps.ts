/** Half width at scale 1, and the filter at a distance from its centre; zero beyond the former. */
const FILTERS = {
  bilinear: { support: 1, at: (x: number) => Math.max(0, 1 - x) },
  bicubic: { support: 2, at: bicubic },
  lanczos: { support: 3, at: (x: number) => (x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

export type Filter = keyof typeof FILTERS;

/** What each output position of one axis reads: a run of inputs and their weights. */
export interface Taps {
  /** `[target + 1, 2]`: first input position, index of the first weight; the last row only ends. */
  readonly spans: Uint32Array<ArrayBuffer>;
  /** All runs one after another; each fits in 16 bits. */
  readonly weights: Int32Array<ArrayBuffer>;
  /** Fraction bits of the weights. */
  readonly bits: number;
}

/** What each output position of one axis reads, in float64. */
export interface ExactTaps {
  /** `[target + 1, 2]`: first input position, index of the first weight; the last row only ends. */
  readonly spans: Uint32Array<ArrayBuffer>;
  /** All runs one after another; each adds up to 1. */
  readonly weights: readonly number[];
}

/**
 * The antialiased resize of PyTorch's uint8 kernel, which works like Pillow's: weights in float64,
 * normalised, and rounded to 16-bit fixed point with as many fraction bits as the largest allows.
 *
 * @param source length of the axis
 * @param target its length after the resize
 */
export function resizeTaps(source: number, target: number, filter: Filter): Taps {
  const { spans, weights: exact } = exactTaps(source, target, filter);
  const bits = fractionBits(exact.reduce((most, weight) => Math.max(most, weight), 0));
  const weights = Int32Array.from(exact, (weight) => roundAwayFromZero(weight * 2 ** bits));
  return { spans, weights, bits };
}

/** The weights of `resizeTaps` before they are rounded, as PyTorch resizes floats by. */
export function exactTaps(source: number, target: number, filter: Filter): ExactTaps {
  const { support, at } = FILTERS[filter];
  const scale = source / target;
  const stretch = Math.max(scale, 1);
  const spans = new Uint32Array(2 * (target + 1));
  const exact: number[] = [];
  for (let i = 0; i < target; i++) {
    const centre = (i + 0.5) * scale;
    const low = Math.max(Math.trunc(centre - support * stretch + 0.5), 0);
    const high = Math.min(Math.trunc(centre + support * stretch + 0.5), source);
    spans.set([low, exact.length], 2 * i);
    const weights: number[] = [];
    for (let j = low; j < high; j++) weights.push(at(Math.abs((j - centre + 0.5) / stretch)));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    for (const weight of weights) exact.push(weight / sum);
  }
  spans.set([source, exact.length], 2 * target);
  return { spans, weights: exact };
}

function fractionBits(largest: number): number {
  let bits = 0;
  while (bits < 22 && Math.trunc(0.5 + largest * 2 ** (bits + 1)) < 2 ** 15) bits++;
  return bits;
}

function roundAwayFromZero(x: number): number {
  return Math.trunc(x < 0 ? x - 0.5 : x + 0.5);
}

/** Keys' cubic with a = -0.5. */
function bicubic(x: number): number {
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * -0.5;
  return 0;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}
