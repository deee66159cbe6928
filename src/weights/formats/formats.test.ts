import { describe, expect, test } from "vitest";
import { normal, random, rmsError } from "../../../tests/support.ts";
import { FORMAT_CASES } from "../../../tests/weight-formats.ts";
import { formatFits, rowBytes } from "../format.ts";
import { fromBf16, fromF16, toBf16, toF16 } from "../half-floats.ts";
import { affineReference } from "./affine.ts";
import { bf16 } from "./bf16.ts";
import { f16 } from "./f16.ts";
import { f32 } from "./f32.ts";
import { GGML_FORMATS } from "./ggml.ts";
import { PACKED_FORMATS } from "./packed.ts";
import { q4 } from "./q4.ts";
import { q6 } from "./q6.ts";
import { q8 } from "./q8.ts";
import { QUANTIZATIONS, WEIGHT_FORMATS } from "./registry.ts";

test("every format has a line in the table of format cases", () => {
  const names = new Set(FORMAT_CASES.map(({ format }) => format.name));
  const all = [...WEIGHT_FORMATS, ...PACKED_FORMATS, ...GGML_FORMATS].map(({ name }) => name);
  expect([...names].sort()).toEqual([...new Set(all)].sort());
});

test("users can ask for the formats of QUANTIZATION_FORMATS and for auto", () => {
  expect(QUANTIZATIONS).toEqual(expect.arrayContaining(["f32", "f16", "q8", "q6", "q4", "auto"]));
  expect(QUANTIZATIONS).not.toContain("bf16");
});

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

test.each(FORMAT_CASES)("$title is undone to within half a step", (c) => {
  const { format, reference, error } = c;
  const [O, D] = [5, formatFits(format, 200) ? 200 : 768];
  const values = random(O * D, 4);
  const back = reference.unpack(reference.pack(values, D, format), [O, D], format);
  expect(back).toHaveLength(O * D);
  values.forEach((value, i) => expect(Math.abs(value - back[i]!)).toBeLessThanOrEqual(error));
});

describe.each([q8, q6, q4])("$name", (format) => {
  const packed = (values: Float32Array, D: number) =>
    affineReference.unpack(affineReference.pack(values, D, format), [values.length / D, D], format);

  test.each([1e-30, 1e-5, 1e30])("is as exact for weights of %d as for those of 1", (size) => {
    const values = random(320, 6);
    const scaled = values.map((value) => value * size);
    const error = rmsError(packed(values, 64), values);
    expect(rmsError(packed(scaled, 64), scaled) / error).toBeCloseTo(1, 1);
  });

  test("the error of normally distributed weights", () => {
    const values = normal(2 ** 15);
    // The least and the largest weight of each group as the first and last code: 0.54, 2.13 and 7.8 %.
    const limits = { q8: 0.0055, q6: 0.0202, q4: 0.071 };
    expect(rmsError(packed(values, 256), values)).toBeLessThan(limits[format.name]);
  });
});

test("formatFits", () => {
  expect([4, 588].every((D) => [q8, q6, bf16].every((one) => formatFits(one, D)))).toBe(true);
  expect([200, 1096].every((D) => formatFits(q4, D))).toBe(true);
  expect([588, 6, 0].some((D) => formatFits(q4, D))).toBe(false);
  expect([6, 0].some((D) => formatFits(f32, D))).toBe(false);
});

test("rowBytes", () => {
  expect([f32, f16, bf16, q8, q6, q4].map((format) => rowBytes(format, 640))).toEqual([
    2560, 1280, 1280, 680, 520, 400,
  ]);
});
