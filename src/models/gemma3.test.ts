import { describe, expect, test } from "vitest";
import { gemma3 } from "./gemma3.ts";
import { gemma } from "./gemma.ts";

/** `text_config` and `vision_config` of google/gemma-3-4b-it. */
const TEXT = {
  hidden_size: 2560,
  intermediate_size: 10_240,
  model_type: "gemma3_text",
  num_hidden_layers: 34,
  rope_scaling: { factor: 8.0, rope_type: "linear" },
  sliding_window: 1024,
};
const VISION = {
  hidden_size: 1152,
  image_size: 896,
  intermediate_size: 4304,
  num_attention_heads: 16,
  num_hidden_layers: 27,
  patch_size: 14,
};

const PREPROCESSOR = {
  image_mean: [0.5, 0.5, 0.5],
  image_std: [0.5, 0.5, 0.5],
  resample: 2,
  size: { height: 896, width: 896 },
};

const model = (text: object = {}, rest: object = {}) =>
  gemma3({
    "config.json": {
      model_type: "gemma3",
      mm_tokens_per_image: 256,
      text_config: { ...TEXT, ...text },
      vision_config: VISION,
      ...rest,
    },
    "preprocessor_config.json": PREPROCESSOR,
  });

describe("gemma3", () => {
  test("reads a published config, which leaves most fields to the class defaults", () => {
    const { text, patchesPerRow, bidirectional, processor } = model();
    expect(text).toMatchObject({
      vocab_size: 262_208,
      num_key_value_heads: 4,
      head_dim: 256,
      max_position_embeddings: 131_072,
      sliding_window: 1024,
    });
    expect([patchesPerRow, bidirectional]).toEqual([16, "images"]);
    expect(processor.layout(640, 480, "auto")).toMatchObject({ grid: [64, 64], tokenCount: 256 });
  });

  test.each([
    [{ use_bidirectional_attention: true }, "use_bidirectional_attention"],
    [{ hidden_activation: "mish" }, 'hidden_activation is "mish", expected "gelu"'],
    [{ layer_types: ["chunked_attention"] }, "layer_types"],
    [{ layer_types: ["full_attention"] }, "text_config.layer_types: 1 layers, expected 34"],
    [{ rope_scaling: { rope_type: "linear" } }, "text_config.rope_scaling: factor"],
    [
      { rope_parameters: { sliding_attention: { rope_type: "longrope", rope_theta: 1e4 } } },
      "rope_type is longrope",
    ],
  ])("refuses settings that are not supported: %o", (text, message) => {
    expect(() => model(text)).toThrow(message);
  });

  test("refuses a number of image tokens that the patches do not divide into", () => {
    expect(() => model({}, { mm_tokens_per_image: 100 })).toThrow("64 x 64 patches");
    expect(() => model({}, { mm_tokens_per_image: 250 })).toThrow("can't become 250");
  });
});

describe("gemma", () => {
  const decoder = (text_config: object) => gemma({ "config.json": { text_config } }, "decoder");

  test("reads the early name of its activation as the tanh approximation", () => {
    const activation = (config: object) =>
      (decoder(config).text as unknown as { hidden_activation: string }).hidden_activation;
    expect(activation({})).toBe("gelu_tanh");
    expect(activation({ hidden_act: "gelu" })).toBe("gelu_tanh");
    expect(activation({ hidden_act: "silu" })).toBe("silu");
    expect(() => decoder({ hidden_act: "mish" })).toThrow("hidden_act");
  });

  test("refuses the config of a later Gemma", () => {
    expect(() => decoder({ model_type: "gemma2" })).toThrow("text_config.model_type");
  });
});
