import { describe, expect, test } from "vitest";
import { expressionMatcher, messageOf } from "../../tests/grammar-support.ts";
import { random } from "../../tests/seeded.ts";
import { type Bounds, integerExpression, numberExpression } from "./number-range.ts";

function within(value: number, bounds: Bounds): boolean {
  return (
    value >= (bounds.minimum ?? -Infinity) &&
    value <= (bounds.maximum ?? Infinity) &&
    value > (bounds.exclusiveMinimum ?? -Infinity) &&
    value < (bounds.exclusiveMaximum ?? Infinity)
  );
}

const BOUNDS: Bounds[] = [
  { minimum: 0, maximum: 9 },
  { minimum: 7, maximum: 7 },
  { minimum: -13, maximum: 208 },
  { minimum: 99, maximum: 1001 },
  { exclusiveMinimum: -5, exclusiveMaximum: 5 },
  { exclusiveMinimum: 0 },
  { exclusiveMaximum: 0 },
  { minimum: -0.5, maximum: 1.25 },
  { minimum: 0.1, exclusiveMaximum: 0.25 },
  { exclusiveMinimum: -1.005, maximum: -1 },
  { minimum: 12.345, maximum: 100 },
  { minimum: 2 ** 31, maximum: 2 ** 63 },
  { minimum: 0, exclusiveMinimum: 3, maximum: 10, exclusiveMaximum: 10 },
  { minimum: -1e21, maximum: -1e-7 },
];

describe.each(BOUNDS)("within %o", (bounds) => {
  const below = random(3);
  const ends = Object.values(bounds) as number[];
  const near = ends.flatMap((end) =>
    [-100, -10, -1, -0.001, 0, 0.001, 0.1, 1, 10].map((d) => end + d),
  );

  const hasNone = Math.ceil(bounds.minimum ?? 0) > (bounds.exclusiveMaximum ?? Infinity);
  test("integers match exactly, without leading zeros", () => {
    const matches = hasNone ? () => false : expressionMatcher(() => integerExpression(bounds));
    const values = [
      ...near.map(Math.round),
      ...Array.from({ length: 500 }, () => below(3000) - 1500),
    ];
    for (const value of values) {
      const text = BigInt(value).toString();
      // Unbounded integers have at most the digits that a double holds exactly.
      if (text.replace("-", "").length > 15 && Object.keys(bounds).length < 2) continue;
      expect(matches(text), text).toBe(within(Number(text), bounds));
    }
    for (const text of ["", "-", "00", "01", "-0", "+1", "1.0", "1e2", " 1"]) {
      expect(matches(text), text).toBe(false);
    }
  });

  test("numbers match if their doubles are within the bounds", () => {
    const matches = expressionMatcher(() => numberExpression(bounds));
    const fractions = Array.from({ length: 500 }, () => (below(4000) - 2000) / 10 ** below(5));
    let count = 0;
    for (const value of [...near, ...fractions]) {
      if (Math.abs(value) >= 1e15) continue;
      for (const text of [value.toFixed(0), value.toFixed(1), value.toFixed(3), value.toFixed(6)]) {
        if (/^-0(\.0*)?$/.test(text)) continue; // nothing that needs to be written
        expect(matches(text), text).toBe(within(Number(text), bounds));
        count++;
      }
    }
    expect(count).toBeGreaterThan(1000);
    for (const text of ["", "-", ".5", "1.", "01.5", "1e2", "1.5.5"]) {
      expect(matches(text), text).toBe(false);
    }
  });
});

test("numbers without bounds may have an exponent, and are finite", () => {
  const matches = expressionMatcher(() => numberExpression({}));
  for (const text of ["0", "-0", "12.5", "1e9", "1E+09", "-3.25e-7", "123456789012345e99"]) {
    expect(matches(text), text).toBe(true);
    expect(Number.isFinite(Number(text))).toBe(true);
  }
  for (const text of ["1e999", "1".repeat(400), "01", "1.", "e5", "NaN", "Infinity", "1e"]) {
    expect(matches(text), text).toBe(false);
  }
});

test("an exclusive bound excludes every decimal that reads as its double", () => {
  const low = 0.1 + 0.2;
  const matches = expressionMatcher(() => numberExpression({ exclusiveMinimum: low, maximum: 1 }));
  for (const text of ["0.3", "0.30000000000000004", "0.300000000000000041"]) {
    expect(matches(text), text).toBe(Number(text) > low);
  }
  expect(matches("0.31")).toBe(true);
  const huge = expressionMatcher(() => numberExpression({ exclusiveMinimum: 1e300 }));
  expect(huge(String(10n ** 300n))).toBe(false);
  expect(huge(String(10n ** 300n + 10n ** 290n))).toBe(true);
});

test("bounds that exclude every number are refused", () => {
  const none: Bounds[] = [
    { minimum: 2, maximum: 1 },
    { exclusiveMinimum: 1, exclusiveMaximum: 2 },
  ];
  for (const bounds of none) {
    expect(messageOf(() => expressionMatcher(() => integerExpression(bounds)))).toContain(
      "no text",
    );
  }
});
