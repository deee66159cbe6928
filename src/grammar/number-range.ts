import {
  EMPTY,
  type Expression,
  NOTHING,
  chars,
  choice,
  optional,
  repeat,
  sequence,
  text,
} from "./expression.ts";

const DIGIT = chars([0x30, 0x39]);

/** Digits before the point where there is no bound: all such integers are exact in a double. */
const INTEGER_DIGITS = 15;
const UNBOUNDED = 10n ** BigInt(INTEGER_DIGITS) - 1n;

/** Digits after the point, unless a bound has more. */
const FRACTION_DIGITS = 12;

/** What a number must be; none: no such bound. */
export interface Bounds {
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
}

/** The integers within bounds, in decimal. */
export function integerExpression(bounds: Bounds): Expression {
  const [low, high] = bordersOf(bounds, 0);
  return signed(low, high, natural);
}

/**
 * The numbers within bounds: in decimal with a limited count of digits after the point; where there
 * are no bounds, with an exponent at will too. Each reads as a finite double within the bounds.
 */
export function numberExpression(bounds: Bounds): Expression {
  const values = Object.values(bounds).filter((bound): bound is number => bound !== undefined);
  if (values.length === 0) return anyNumber();
  const digits = Math.max(FRACTION_DIGITS, ...values.map((value) => -decimal(value).exponent));
  const [low, high] = bordersOf(bounds, digits);
  return signed(low, high, (low, high) => fixedPoint(low, high, digits));
}

function anyNumber(): Expression {
  const sign = chars([0x2b, 0x2b], [0x2d, 0x2d]);
  const e = chars([0x45, 0x45], [0x65, 0x65]);
  return sequence(
    optional(text("-")),
    natural(0n, UNBOUNDED),
    optional(sequence(text("."), repeat(DIGIT, 1, FRACTION_DIGITS))),
    optional(sequence(e, optional(sign), repeat(DIGIT, 1, 2))),
  );
}

/** A finite number's shortest decimal: `coefficient * 10 ** exponent`, the exponent at most 0. */
function decimal(value: number): { coefficient: bigint; exponent: number } {
  const [, sign, whole, fraction = "", exponent = "0"] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(value)) as unknown as string[];
  const coefficient = BigInt(`${sign}${whole}${fraction}`);
  const power = Number(exponent) - fraction.length;
  return power > 0
    ? { coefficient: coefficient * 10n ** BigInt(power), exponent: 0 }
    : { coefficient, exponent: power };
}

/** The least and the greatest number within bounds, in units of `10 ** -digits`. */
function bordersOf(bounds: Bounds, digits: number): readonly [bigint, bigint] {
  const { minimum = -Infinity, maximum = Infinity } = bounds;
  const { exclusiveMinimum = -Infinity, exclusiveMaximum = Infinity } = bounds;
  // The greatest number of a range is the least of its mirror image.
  const low = leastOf(minimum, exclusiveMinimum, digits);
  const mirrored = leastOf(-maximum, -exclusiveMaximum, digits);
  const high = mirrored === undefined ? undefined : -mirrored;
  const far = -UNBOUNDED * 10n ** BigInt(digits);
  const below = (bound = 0n) => smaller(far, bound < 0n ? 2n * bound + far : bound + far);
  return [low ?? below(high), high ?? -below(low === undefined ? low : -low)];
}

/** The least number of units within bounds, undefined where there are none. */
function leastOf(minimum: number, exclusive: number, digits: number): bigint | undefined {
  const bound = Math.max(minimum, exclusive);
  if (bound === -Infinity) return undefined;
  let least = -floor(-bound, digits);
  // A decimal beside the bound may read as the same double.
  for (let step = 1n; read(least, digits) <= exclusive; step *= 2n) least += step;
  return least;
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

/** The greatest number of units that is no more than `value`. */
function floor(value: number, digits: number): bigint {
  const { coefficient, exponent } = decimal(value);
  const shift = digits + exponent;
  if (shift >= 0) return coefficient * 10n ** BigInt(shift);
  const divisor = 10n ** BigInt(-shift);
  const quotient = coefficient / divisor;
  return coefficient < 0n && quotient * divisor !== coefficient ? quotient - 1n : quotient;
}

function read(units: bigint, digits: number): number {
  return Number(`${units}e-${digits}`);
}

/** @param unsigned what writes a range of numbers from 0 up */
function signed(
  low: bigint,
  high: bigint,
  unsigned: (low: bigint, high: bigint) => Expression,
): Expression {
  if (low > high) return NOTHING;
  const negative = low < 0n ? sequence(text("-"), unsigned(high < 0n ? -high : 1n, -low)) : NOTHING;
  return choice(negative, high >= 0n ? unsigned(low > 0n ? low : 0n, high) : NOTHING);
}

/** The integers from `low`, 0 or more, to `high`. */
function natural(low: bigint, high: bigint): Expression {
  const options: Expression[] = [];
  for (let length = `${low}`.length; length <= `${high}`.length; length++) {
    const first = length === 1 ? 0n : 10n ** BigInt(length - 1);
    const last = 10n ** BigInt(length) - 1n;
    options.push(between(`${low > first ? low : first}`, `${high < last ? high : last}`));
  }
  return choice(...options);
}

/** The digits from `low` to `high`, which are as many. */
function between(low: string, high: string): Expression {
  return digitsBetween(low, high, between, (count) => repeat(DIGIT, count, count));
}

/** The numbers from `low` to `high`, 0 or more, in units of `10 ** -digits`. */
function fixedPoint(low: bigint, high: bigint, digits: number): Expression {
  const unit = 10n ** BigInt(digits);
  const [lowWhole, lowRest] = [low / unit, `${low % unit}`.padStart(digits, "0")];
  const [highWhole, highRest] = [high / unit, `${high % unit}`.padStart(digits, "0")];
  if (lowWhole === highWhole) return sequence(text(`${lowWhole}`), point(lowRest, highRest));
  const [none, all] = ["0".repeat(digits), "9".repeat(digits)];
  return choice(
    sequence(text(`${lowWhole}`), point(lowRest, all)),
    highWhole - lowWhole > 1n
      ? sequence(natural(lowWhole + 1n, highWhole - 1n), point(none, all))
      : NOTHING,
    sequence(text(`${highWhole}`), point(none, highRest)),
  );
}

/** A point and the digits after it, from `low` to `high`; left out where they may be zeros. */
function point(low: string, high: string): Expression {
  const digits = sequence(text("."), fraction(low, high));
  return isZero(low) ? optional(digits) : digits;
}

/** Digits from `low` to `high`, which are as many, one at least; zeros at the end may be missing. */
function fraction(low: string, high: string): Expression {
  const more = (low: string, high: string) => {
    if (low === "") return EMPTY;
    return isZero(low) ? optional(fraction(low, high)) : fraction(low, high);
  };
  return digitsBetween(low, high, more, (count) => repeat(DIGIT, 0, count));
}

/**
 * @param rest what writes the digits after the first, from the one to the other
 * @param free what writes as many digits of any kind
 */
function digitsBetween(
  low: string,
  high: string,
  rest: (low: string, high: string) => Expression,
  free: (count: number) => Expression,
): Expression {
  const count = low.length - 1;
  if (count < 0) return EMPTY;
  const [first, last] = [Number(low[0]), Number(high[0])];
  const [lowRest, highRest] = [low.slice(1), high.slice(1)];
  if (first === last) return sequence(text(`${first}`), rest(lowRest, highRest));
  const openLow = isZero(lowRest);
  const openHigh = /^9*$/.test(highRest);
  const middle = [openLow ? first : first + 1, openHigh ? last : last - 1] as const;
  return choice(
    openLow ? NOTHING : sequence(text(`${first}`), rest(lowRest, "9".repeat(count))),
    middle[0] > middle[1]
      ? NOTHING
      : sequence(chars([0x30 + middle[0], 0x30 + middle[1]]), free(count)),
    openHigh ? NOTHING : sequence(text(`${last}`), rest("0".repeat(count), highRest)),
  );
}

function isZero(digits: string): boolean {
  return /^0*$/.test(digits);
}
