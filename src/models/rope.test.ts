import { expect, test } from "vitest";
import { ropeSettings, ropeTheta } from "./config.ts";
import { inverseFrequencies, llama3Frequencies } from "./rope.ts";

const SCALING = {
  rope_type: "llama3",
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 8192,
};

const files = (text_config: object) => ({ "config.json": { text_config } });

test("llama3 slows slow pairs down, leaves fast ones, and goes from one to the other", () => {
  const plain = inverseFrequencies(500_000, 128);
  const scaled = llama3Frequencies(plain, SCALING);
  // By wavelength, as the reference has it.
  plain.forEach((frequency, i) => {
    const wavelength = (2 * Math.PI) / frequency;
    const smooth = (8192 / wavelength - 1) / 3;
    let expected = (1 - smooth) * (frequency / 8) + smooth * frequency;
    if (wavelength < 8192 / 4) expected = frequency;
    if (wavelength > 8192) expected = frequency / 8;
    expect(scaled[i]).toBeCloseTo(expected, 12);
  });
  const kinds = scaled.map((frequency, i) => frequency / (plain[i] as number));
  expect(kinds[0]).toBe(1);
  expect(kinds.at(-1)).toBe(1 / 8);
  expect(kinds.filter((kind) => kind > 0.13 && kind < 0.99).length).toBeGreaterThan(3);
});

test.each([
  ["as published", { rope_theta: 500_000, rope_scaling: SCALING }],
  ["with the older key", { rope_theta: 500_000, rope_scaling: { ...SCALING, type: "llama3" } }],
  ["as transformers 5 saves it", { rope_parameters: { ...SCALING, rope_theta: 500_000 } }],
])("llama3 is read %s", (_, config) => {
  const { theta, scaling } = ropeSettings(files(config), "text_config");
  expect(theta).toBe(500_000);
  expect(scaling).toMatchObject({ factor: 8, original_max_position_embeddings: 8192 });
  expect(() => ropeTheta(files(config), "text_config")).toThrow("llama3");
});

test("other scalings, and settings that lack something, are named", () => {
  const read = (rope_scaling: object) => () => ropeSettings(files({ rope_scaling }), "text_config");
  expect(read({ rope_type: "yarn" })).toThrow("rope type yarn is not known");
  expect(read({ ...SCALING, factor: undefined })).toThrow("text_config.rope_scaling: factor");
  expect(read({ rope_type: "default" })()).toEqual({ theta: 10_000 });
});
