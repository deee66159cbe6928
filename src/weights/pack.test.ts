import { describe, expect, test } from "vitest";
import { random } from "../../tests/support.ts";
import type { WeightFormat } from "../gpu/weight.ts";
import { formatFits } from "./format.ts";
import { dequantize, fromBf16, fromF16, packWeight, toBf16, toF16 } from "./pack.ts";

describe("half floats", () => {
  test("every one is the nearest to its own value", () => {
    const all = Array.from({ length: 65536 }, (_, bits) => bits);
    const f16 = all.filter((bits) => !Number.isNaN(fromF16(bits)));
    const bf16 = all.filter((bits) => !Number.isNaN(fromBf16(bits)));
    expect(f16.map((bits) => toF16(fromF16(bits)))).toEqual(f16);
    expect(bf16.map((bits) => toBf16(fromBf16(bits)))).toEqual(bf16);
  });

  test.each([
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [1 + 2 ** -11 + 2 ** -20, 0x3c01],
    [2 - 2 ** -12, 0x4000],
    [2 ** -25, 0],
    [1.5 * 2 ** -24, 2],
    [65519, 0x7bff],
    [-65520, 0xfc00],
  ])("f16 of %f rounds to nearest, ties to even", (value, bits) => {
    expect(toF16(value)).toBe(bits);
  });

  test.each([
    [1 + 2 ** -8, 0x3f80],
    [1 + 3 * 2 ** -8, 0x3f82],
    [1 + 2 ** -8 + 2 ** -20, 0x3f81],
  ])("bf16 of %f rounds to nearest, ties to even", (value, bits) => {
    expect(toBf16(value)).toBe(bits);
  });
});

describe("packWeight", () => {
  const formats: [WeightFormat, number, number][] = [
    // Half a step of values in [-1, 1): of a mantissa, of 2/511, of 2/15, and what 16 bits of scale add.
    ["f32", 32, 0],
    ["f16", 32, 2 ** -12],
    ["bf16", 32, 2 ** -9],
    ["q8", 32, 1 / 511 + 5e-4],
    ["q4", 32, 1 / 15 + 2e-3],
    ["q4", 64, 1 / 15 + 2e-3],
  ];
  test.each(formats)("%s/%i is undone to within half a step", (format, block, step) => {
    const [O, D] = [5, 200];
    const values = random(O * D, 4);
    const back = dequantize(packWeight(values, D, format, block), [O, D], format, block);
    expect(back).toHaveLength(O * D);
    values.forEach((value, i) => expect(Math.abs(value - back[i]!)).toBeLessThanOrEqual(step));
  });
});

test.each([1e-30, 1e-5, 1, 1e30])("q8 is as exact for weights of %d", (size) => {
  const values = random(320, 6).map((value) => value * size);
  const back = dequantize(packWeight(values, 64, "q8"), [5, 64], "q8");
  const errors = values.map((value, i) => Math.abs(value - back[i]!));
  expect(Math.max(...errors)).toBeLessThan((1 / 511 + 5e-4) * size);
});

test("formatFits", () => {
  expect([4, 588].every((D) => formatFits("q8", D) && formatFits("bf16", D))).toBe(true);
  expect([200, 1096].every((D) => formatFits("q4", D))).toBe(true);
  expect([588, 6, 0].some((D) => formatFits("q4", D))).toBe(false);
  expect([6, 0].some((D) => formatFits("f32", D))).toBe(false);
});
