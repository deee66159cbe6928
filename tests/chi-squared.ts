/** Cells with a lower expected count are pooled, because the statistic is only approximately chi-squared. */
const LEAST_EXPECTED = 5;

/**
 * Pearson's chi-squared test.
 *
 * @param counts how often each outcome was sampled
 * @param weights proportional to the probability of each outcome
 * @returns the probability of a deviation at least as large by chance; 0 if an impossible outcome was
 *   counted
 * @throws RangeError when fewer than two cells remain after pooling
 */
export function chiSquaredTest(counts: readonly number[], weights: readonly number[]): number {
  const draws = counts.reduce((a, b) => a + b, 0);
  const whole = weights.reduce((a, b) => a + b, 0);
  const all = counts.map((seen, i) => ({
    seen,
    expected: (draws * (weights[i] as number)) / whole,
  }));
  if (all.some(({ seen, expected }) => expected === 0 && seen > 0)) return 0;
  const cells = pooled(all.filter(({ expected }) => expected > 0));
  if (cells.length < 2) {
    throw new RangeError(`chiSquaredTest: ${draws} draws fill ${cells.length} cells, expected 2`);
  }
  const sum = cells.reduce((s, { seen, expected }) => s + (seen - expected) ** 2 / expected, 0);
  return chiSquaredTail(sum, cells.length - 1);
}

interface Cell {
  readonly seen: number;
  readonly expected: number;
}

/** Pools the rarest outcomes until each cell has an expected count of `LEAST_EXPECTED`. */
function pooled(cells: readonly Cell[]): Cell[] {
  const rarestLast = cells.toSorted((a, b) => b.expected - a.expected);
  let rest: Cell = { seen: 0, expected: 0 };
  while (rarestLast.length > 0) {
    const { seen, expected } = rarestLast.at(-1) as Cell;
    if (expected >= LEAST_EXPECTED && (rest.expected === 0 || rest.expected >= LEAST_EXPECTED)) {
      break;
    }
    rest = { seen: rest.seen + seen, expected: rest.expected + expected };
    rarestLast.pop();
  }
  return rest.expected > 0 ? [...rarestLast, rest] : rarestLast;
}

/** @returns the probability that chi-squared of `freedom` degrees is greater than `x` */
export function chiSquaredTail(x: number, freedom: number): number {
  const a = freedom / 2;
  const half = x / 2;
  if (half > a + 50 * Math.sqrt(a) + 100) return 0; // less than the sum below can resolve
  // The regularized incomplete gamma function by its series.
  let term = 1;
  let sum = 1;
  for (let n = 1; term > sum * 1e-17; n++) sum += term *= half / (a + n);
  return 1 - Math.exp(a * Math.log(half) - half - logGamma(a + 1)) * sum;
}

/** @param a a positive multiple of 1/2 */
function logGamma(a: number): number {
  let log = a % 1 === 0 ? 0 : Math.log(Math.PI) / 2;
  for (let b = a - 1; b > 0; b--) log += Math.log(b);
  return log;
}
