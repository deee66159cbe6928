import { expect, test } from "vitest";
import * as z from "zod/mini";
import { parse } from "./config.ts";
import { type Mrope, ropeFields, ropeSettings } from "./rope-settings.ts";
import { inverseFrequencies, llama3Frequencies } from "./rope.ts";

const SCALING = {
  rope_type: "llama3",
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 8192,
};

/** Channels of a head. */
const C = 128;

const read = (text_config: object, mrope?: Mrope) => {
  const fields = parse(z.object(ropeFields(10_000)), text_config, "text_config");
  return ropeSettings(fields, C, "text_config", mrope);
};

test("llama3 divides low frequencies, keeps high ones, and interpolates between", () => {
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
  [
    "with the older key",
    { rope_theta: 500_000, rope_scaling: { ...SCALING, rope_type: undefined, type: "llama3" } },
  ],
  ["as transformers 5 saves it", { rope_parameters: { ...SCALING, rope_theta: 500_000 } }],
  ["with the base outside", { rope_theta: 500_000, rope_parameters: SCALING }],
])("llama3 is read %s", (_, config) => {
  const { frequencies, axes } = read(config);
  expect(frequencies).toEqual(llama3Frequencies(inverseFrequencies(500_000, C), SCALING));
  expect(axes).toEqual(new Array(C / 2).fill(0));
});

test.each([{}, { rope_scaling: null }, { rope_scaling: { type: "dynamic", factor: 2 } }])(
  "%j scales nothing",
  (config) => expect(read(config).frequencies).toEqual(inverseFrequencies(10_000, C)),
);

test("linear divides all frequencies", () => {
  const { frequencies } = read({ rope_scaling: { type: "linear", factor: 8 } });
  expect(frequencies).toEqual(inverseFrequencies(10_000, C).map((frequency) => frequency / 8));
});

test("where a file has both fields, the older one takes the place of the newer one", () => {
  const rope_parameters = { rope_type: "default", rope_theta: 500_000 };
  const rope_scaling = { rope_type: "linear", factor: 2 };
  const { frequencies } = read({ rope_parameters, rope_scaling });
  expect(frequencies).toEqual(inverseFrequencies(10_000, C).map((frequency) => frequency / 2));
  expect(read({ rope_parameters, rope_scaling: {} })).toEqual(read({ rope_parameters }));
});

test.each([
  { rope_parameters: { rope_type: "default" } },
  { rope_parameters: { rope_type: "default", rope_theta: null } },
  { rope_parameters: null },
])("without a base in it, %j has the one beside it", (config) => {
  const { frequencies } = read({ rope_theta: 100_000, ...config });
  expect(frequencies).toEqual(inverseFrequencies(100_000, C));
});

const YARN = { rope_type: "yarn", factor: 4, original_max_position_embeddings: 32 };

/** Recorded with transformers 5.23's `_compute_yarn_parameters`, heads of 16 channels, base 10,000. */
test.each<[string, object, number[], number]>([
  [
    "by the factor alone",
    {},
    [1.0, 0.19764236, 0.025, 0.00790569, 0.0025, 0.00079057, 0.00025, 7.906e-5],
    1.13862944,
  ],
  [
    "with limits of its own",
    { beta_fast: 8, beta_slow: 2 },
    [1.0, 0.07905694, 0.025, 0.00790569, 0.0025, 0.00079057, 0.00025, 7.906e-5],
    1.13862944,
  ],
  [
    "without rounding",
    { truncate: false },
    [1.0, 0.14849025, 0.025, 0.00790569, 0.0025, 0.00079057, 0.00025, 7.906e-5],
    1.13862944,
  ],
  [
    "with an attention factor",
    { attention_factor: 1.5 },
    [1.0, 0.19764236, 0.025, 0.00790569, 0.0025, 0.00079057, 0.00025, 7.906e-5],
    1.5,
  ],
  [
    "with mscale",
    { mscale: 1.0, mscale_all_dim: 0.5 },
    [1.0, 0.19764236, 0.025, 0.00790569, 0.0025, 0.00079057, 0.00025, 7.906e-5],
    1.06482163,
  ],
  [
    "with the model's own context",
    { original_max_position_embeddings: undefined },
    [1.0, 0.23717082, 0.05, 0.00790569, 0.0025, 0.00079057, 0.00025, 7.906e-5],
    1.13862944,
  ],
])("YaRN %s", (_, more, frequencies, attentionFactor) => {
  const config = JSON.parse(JSON.stringify({ rope_scaling: { ...YARN, ...more } })) as object;
  const fields = parse(z.object(ropeFields(10_000)), config, "text_config");
  const { scoreFactor, ...read } = ropeSettings({ ...fields, max_position_embeddings: 128 }, 16);
  read.frequencies.forEach((f, i) => expect(f).toBeCloseTo(frequencies[i] as number, 6));
  expect(scoreFactor).toBeCloseTo(attentionFactor ** 2, 6);
});

const QWEN2 = { section: [16, 24, 24], isInterleaved: false };
const QWEN3 = { section: [24, 20, 20], isInterleaved: true };

// The class decides whether the sections are interleaved, whatever the file says.
test.each([
  [QWEN2, { mrope_section: [32, 16, 16] }, { 0: 32, 1: 16, 2: 16 }, [0, 0, 0]],
  [QWEN2, { mrope_interleaved: true }, { 0: 16, 1: 24, 2: 24 }, [0, 0, 0]],
  [QWEN3, { mrope_section: [32, 16, 16] }, { 0: 32, 1: 16, 2: 16 }, [0, 1, 2]],
  [QWEN3, { mrope_interleaved: false }, { 0: 24, 1: 20, 2: 20 }, [0, 1, 2]],
])("M-RoPE of %j, %j", (mrope, parameters, counts, start) => {
  const { axes, frequencies } = read({ rope_scaling: { type: "mrope", ...parameters } }, mrope);
  expect(axes).toHaveLength(C / 2);
  for (const [axis, count] of Object.entries(counts)) {
    expect(axes.filter((other) => other === Number(axis))).toHaveLength(count);
  }
  expect(axes.slice(0, 3)).toEqual(start);
  expect(frequencies).toEqual(inverseFrequencies(10_000, C));
});

test("sections that don't fill the head are refused by name", () => {
  const rope_scaling = { type: "mrope", mrope_section: [8, 12, 12] };
  expect(() => read({ rope_scaling }, QWEN2)).toThrow("mrope_section is [8,12,12], expected a sum");
});

test.each([{ type: "linear", factor: 2 }, { type: "dynamic" }])(
  "%j rotates a part of each head in the reference, which is refused",
  (rope_scaling) => {
    const config = { rope_scaling, partial_rotary_factor: 0.5 };
    expect(() => read(config)).toThrow("text_config.partial_rotary_factor is 0.5, expected 1");
    expect(read({ partial_rotary_factor: 0.5 })).toEqual(read({}));
  },
);

test.each([
  [
    { rope_type: "longrope" },
    "text_config.rope_scaling: rope_type is longrope, supported: default",
  ],
  [{ rope_type: "yarn" }, "text_config.rope_scaling: factor"],
  [{ ...SCALING, factor: undefined }, "text_config.rope_scaling: factor"],
  [{ rope_type: "linear" }, "text_config.rope_scaling: factor"],
])("%j is refused by name", (rope_scaling, message) => {
  expect(() => read({ rope_scaling })).toThrow(message);
});
