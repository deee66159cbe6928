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

/** Digits before the point of an unbounded number. A double holds all such integers exactly. */
const INTEGER_DIGITS = 15;
const UNBOUNDED = 10n ** BigInt(INTEGER_DIGITS) - 1n;

/** Digits after the point, if no bound has more. */
const FRACTION_DIGITS = 12;

/** The bounds of a number, each optional. */
export interface Bounds {
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
}

/** Matches the integers within bounds, in decimal. */
export function integerExpression(bounds: Bounds): Expression {
  const [low, high] = limitsInUnits(bounds, 0);
  return signed(low, high, natural);
}

/**
 * Matches numbers within bounds, in decimal with a limited number of digits after the point. Without
 * bounds, an exponent is allowed. Every match reads as a finite double within the bounds.
 */
export function numberExpression(bounds: Bounds): Expression {
  const values = Object.values(bounds).filter((bound): bound is number => bound !== undefined);
  if (values.length === 0) return anyNumber();
  const digits = Math.max(FRACTION_DIGITS, ...values.map((value) => -decimal(value).exponent));
  const [low, high] = limitsInUnits(bounds, digits);
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

/** @returns a finite number's shortest decimal, `coefficient * 10 ** exponent`, exponent at most 0 */
function decimal(value: number): { coefficient: bigint; exponent: number } {
  const [, sign, whole, fraction = "", exponent = "0"] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(String(value)) as unknown as string[];
  const coefficient = BigInt(`${sign}${whole}${fraction}`);
  const power = Number(exponent) - fraction.length;
  return power > 0
    ? { coefficient: coefficient * 10n ** BigInt(power), exponent: 0 }
    : { coefficient, exponent: power };
}

/** @returns the least and the greatest number within bounds, in units of `10 ** -digits` */
function limitsInUnits(bounds: Bounds, digits: number): readonly [bigint, bigint] {
  const { minimum = -Infinity, maximum = Infinity } = bounds;
  const { exclusiveMinimum = -Infinity, exclusiveMaximum = Infinity } = bounds;
  // The greatest number of a range is the negated least number of the negated range.
  const low = leastUnits(minimum, exclusiveMinimum, digits);
  const negatedHigh = leastUnits(-maximum, -exclusiveMaximum, digits);
  const high = negatedHigh === undefined ? undefined : -negatedHigh;
  const far = -UNBOUNDED * 10n ** BigInt(digits);
  const below = (bound = 0n) => smaller(far, bound < 0n ? 2n * bound + far : bound + far);
  return [low ?? below(high), high ?? -below(low === undefined ? low : -low)];
}

/** @returns the least number of units within a lower bound, or undefined without a bound */
function leastUnits(minimum: number, exclusive: number, digits: number): bigint | undefined {
  const bound = Math.max(minimum, exclusive);
  if (bound === -Infinity) return undefined;
  let least = -floor(-bound, digits);
  // A decimal next to the bound may read as the same double.
  for (let step = 1n; read(least, digits) <= exclusive; step *= 2n) least += step;
  return least;
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

/** @returns the greatest number of units that is at most `value` */
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

/** @param unsigned builds the expression of a range of numbers, all at least 0 */
function signed(
  low: bigint,
  high: bigint,
  unsigned: (low: bigint, high: bigint) => Expression,
): Expression {
  if (low > high) return NOTHING;
  const negative = low < 0n ? sequence(text("-"), unsigned(high < 0n ? -high : 1n, -low)) : NOTHING;
  return choice(negative, high >= 0n ? unsigned(low > 0n ? low : 0n, high) : NOTHING);
}

/** Matches the integers from `low` to `high`, both at least 0. */
function natural(low: bigint, high: bigint): Expression {
  const options: Expression[] = [];
  for (let length = `${low}`.length; length <= `${high}`.length; length++) {
    const first = length === 1 ? 0n : 10n ** BigInt(length - 1);
    const last = 10n ** BigInt(length) - 1n;
    options.push(between(`${low > first ? low : first}`, `${high < last ? high : last}`));
  }
  return choice(...options);
}

/** Matches the numbers from `low` to `high`, which have the same number of digits. */
function between(low: string, high: string): Expression {
  return digitsBetween(low, high, between, (count) => repeat(DIGIT, count, count));
}

/** Matches the numbers from `low` to `high`, both at least 0, in units of `10 ** -digits`. */
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

/** Matches a point and digits from `low` to `high`, or nothing where `low` is zero. */
function point(low: string, high: string): Expression {
  const digits = sequence(text("."), fraction(low, high));
  return isZero(low) ? optional(digits) : digits;
}

/** Matches digits from `low` to `high`, which have equal length; zeros at the end are optional. */
function fraction(low: string, high: string): Expression {
  const more = (low: string, high: string) => {
    if (low === "") return EMPTY;
    return isZero(low) ? optional(fraction(low, high)) : fraction(low, high);
  };
  return digitsBetween(low, high, more, (count) => repeat(DIGIT, 0, count));
}

/**
 * @param rest builds the expression of the digits after the first, from `low` to `high`
 * @param free builds the expression of a number of arbitrary digits
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
