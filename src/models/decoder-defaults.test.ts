import { describe, expect, test } from "vitest";
import { checkpointFiles } from "../../tests/processor-goldens.ts";
import { createModel } from "./registry.ts";

/** A golden checkpoint's files, with `text_config` changed; undefined removes a field. */
function withText(folder: string, changes: object) {
  const files = checkpointFiles(folder);
  const config = files["config.json"] as { text_config: object };
  const text_config = { ...config.text_config, ...changes };
  const changed = JSON.parse(JSON.stringify({ ...config, text_config })) as object;
  return { ...files, "config.json": changed };
}

const FOLDERS = ["smolvlm", "internvl", "llava", "llava_onevision"];

describe.each(FOLDERS)("%s", (folder) => {
  test.each(["granite", "mixtral", "qwen2_moe"])(
    "a decoder of type %s is refused",
    (model_type) => {
      expect(() => createModel(withText(folder, { model_type }))).toThrow(
        `text_config.model_type is "${model_type}", supported: llama, qwen2, qwen3, mistral`,
      );
    },
  );

  test.each([
    ["llama", 2048],
    ["qwen2", 32_768],
    ["qwen3", 32_768],
    ["mistral", 131_072],
  ])("a decoder of type %s has the defaults of its class", (model_type, context) => {
    const absent = { max_position_embeddings: undefined, head_dim: undefined };
    const { text } = createModel(withText(folder, { model_type, ...absent }));
    expect(text.max_position_embeddings).toBe(context);
    if (model_type === "qwen3") expect(text.head_dim).toBe(128);
    else expect(text.head_dim).toBeLessThan(128);
  });
});

describe("Mistral's windows", () => {
  const window = (fields: object) =>
    createModel(withText("llava", { model_type: "mistral", ...fields })).text.sliding_window;

  test.each([
    ["as llava-hf/bakLlava-v1-hf says", { sliding_window: 4096 }, 4096],
    ["absent", { sliding_window: undefined }, 4096],
    ["null", { sliding_window: null }, undefined],
  ])("%s", (_, fields, expected) => {
    expect(window(fields)).toBe(expected);
  });

  test("absent heads of keys are 8", () => {
    const model = () =>
      createModel(withText("llava", { model_type: "mistral", num_key_value_heads: undefined }));
    expect(model().text.num_key_value_heads).toBe(8);
  });
});

test.each([
  ["smolvlm", 2048],
  ["llava", 2048],
  ["internvl", 32_768],
  ["llava_onevision", 32_768],
])("without a type the decoder of %s is the family's", (folder, context) => {
  const absent = { model_type: undefined, max_position_embeddings: undefined };
  expect(createModel(withText(folder, absent)).text.max_position_embeddings).toBe(context);
});
