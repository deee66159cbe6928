import { expect, test } from "vitest";
import { chiSquaredTail, chiSquaredTest } from "./chi-squared.ts";
import { random } from "./seeded.ts";

test.each([
  // From published tables of critical values.
  [3.841, 1, 0.05],
  [10.828, 1, 0.001],
  [5.991, 2, 0.05],
  [18.307, 10, 0.05],
  [29.588, 10, 0.001],
  [44.314, 25, 0.01],
  [124.342, 100, 0.05],
  [149.449, 100, 0.001],
  [4.605, 2, 0.1],
  [0.0158, 1, 0.9],
])("more than %d with %d degrees of freedom has probability %d", (x, freedom, probability) => {
  expect(chiSquaredTail(x, freedom)).toBeCloseTo(probability, 4);
});

test("is 1 at 0, and 0 far out", () => {
  expect(chiSquaredTail(0, 3)).toBe(1);
  expect(chiSquaredTail(5000, 20)).toBe(0);
});

/** Counts of random outcomes with probabilities in proportion to `weights`. */
function draw(weights: readonly number[], count: number, seed: number): number[] {
  const next = random(seed);
  const whole = weights.reduce((a, b) => a + b, 0);
  const counts = weights.map(() => 0);
  for (let i = 0; i < count; i++) {
    let at = (next(2 ** 31) / 2 ** 31) * whole;
    const outcome = weights.findIndex((weight) => (at -= weight) < 0);
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
}

test("tells true draws from others, rare outcomes among them", () => {
  const weights = [50, 20, 10, 5, 1, 0.5, 0.1, 0.01, 0];
  const passed = Array.from({ length: 200 }, (_, seed) =>
    chiSquaredTest(draw(weights, 3000, seed), weights),
  );
  // A p-value is uniformly distributed.
  for (const level of [0.05, 0.25, 0.5, 0.75]) {
    const below = passed.filter((probability) => probability < level).length / passed.length;
    expect(Math.abs(below - level)).toBeLessThan(0.1);
  }
  const skewed = [50, 20, 13, 5, 1, 0.5, 0.1, 0.01, 0];
  expect(chiSquaredTest(draw(skewed, 3000, 1), weights)).toBeLessThan(1e-3);
  expect(chiSquaredTest([9, 1, 0], [9, 0, 1])).toBe(0);
  expect(() => chiSquaredTest([9, 0], [1, 0])).toThrow(RangeError);
});
