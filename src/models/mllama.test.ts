import { expect, test } from "vitest";
import { checkpointFiles } from "../../tests/processor-goldens.ts";
import { mllama } from "./mllama.ts";
import type { CheckpointFiles } from "./model.ts";

const files = checkpointFiles("mllama");
const config = files["config.json"] as Record<"text_config" | "vision_config", object>;

function withConfig(part: keyof typeof config, fields: object): CheckpointFiles {
  const changed = { ...config, [part]: { ...config[part], ...fields } };
  return { ...files, "config.json": changed };
}

test("self-attention layers have a cache, cross-attention layers have image states", () => {
  const model = mllama(files);
  expect(model.text).toMatchObject({ num_hidden_layers: 4, num_kv_layers: 2 });
  expect(model.imageStates).toBe(4);
  // One key/value head of 64 channels. Four tiles of 16 patches and a class embedding each.
  expect(model.crossAttention).toEqual({ rows: 4 * 17, width: 64 });
});

test("the defaults are those of the 11B model", () => {
  const vision_config = { image_size: 560 };
  const size = { height: 560, width: 560 };
  const bare = {
    "config.json": { text_config: {}, vision_config },
    "preprocessor_config.json": { size },
  };
  const model = mllama(bare);
  expect(model.text).toMatchObject({
    vocab_size: 128_256,
    num_hidden_layers: 40,
    num_kv_layers: 32,
    num_key_value_heads: 8,
    head_dim: 128,
    rms_norm_eps: 1e-5,
    max_position_embeddings: 131_072,
  });
  expect(model.crossAttention).toEqual({ rows: 4 * 1601, width: 1024 });
  expect(model.imageStates).toBe(16);
});

test("a pass has the rows of all tiles, those of the canvas first", () => {
  const model = mllama(files);
  const layout = model.processor.layout(90, 40, "auto"); // two tiles side by side
  expect([layout.rows, layout.cols]).toEqual([1, 2]);
  const { P, tables } = model.visionPass(layout, 1);
  expect(P).toBe(4 * 16);
  const of = (name: keyof typeof tables) => [...(tables[name]?.data ?? [])];
  expect(of("patches")).toHaveLength(4 * 24);
  // A class embedding has no patch. The first line of a tile is half a line of the canvas.
  expect(of("patches").slice(0, 5)).toEqual([P, 0, 1, 2, 3]);
  expect(of("patches").slice(17, 22)).toEqual([P, 4, 5, 6, 7]);
  expect(
    of("patches")
      .slice(34)
      .every((patch) => patch === P),
  ).toBe(true);
  const ranges = Array.from({ length: 96 }, (_, i) => of("rows").slice(12 * i + 6, 12 * i + 8));
  expect(ranges.slice(0, 34)).toEqual(new Array(34).fill([0, 95]));
  expect(ranges.slice(34)).toEqual(new Array(62).fill([0, 33]));
});

test.each([
  [
    "text_config",
    { rope_scaling: { rope_type: "longrope" } },
    "text_config.rope_scaling: rope_type is longrope",
  ],
  [
    "text_config",
    { cross_attention_layers: [1, 4] },
    "cross_attention_layers: 4, expected a layer from 0 to 3",
  ],
  [
    "vision_config",
    { intermediate_layers_indices: [3] },
    "intermediate_layers_indices: 3, expected a layer from 0 to 2",
  ],
  ["vision_config", { hidden_act: "gelu_10" }, "vision_config.hidden_act"],
  ["vision_config", { supported_aspect_ratios: [[1, 1]] }, "supported_aspect_ratios: expected"],
] as const)("an unsupported field of %s is named: %j", (part, fields, message) => {
  expect(() => mllama(withConfig(part, fields))).toThrow(message);
  expect(() => mllama(withConfig(part, fields))).toThrow("config.json");
});
