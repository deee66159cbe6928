import { join } from "node:path";
import { expect, test } from "vitest";
import { readCheckpoint, readJson } from "../../tests/chat-support.ts";
import { decisiveSettings, imageMessages } from "../../tests/decisive.ts";
import { UNPACKED } from "../../tests/goldens/paths.ts";
import { recordingOf } from "../../tests/recording.ts";
import {
  RESIZED_TABLE,
  type Resized,
  type Shapes,
  resizedFiles,
  shapeOf,
} from "../../tests/resized.ts";
import { openModel } from "../cli/open-model.ts";

test.each(readJson(RESIZED_TABLE) as Resized[])(
  "$family, $name: the reference's prompt",
  (entry) => {
    const files = resizedFiles(readCheckpoint(`e2e/goldens/${entry.family}`), entry);
    expect(decisiveSettings(files, imageMessages(entry.family)).ids).toEqual(entry.input_ids);
  },
);

/** Sizes that no kernel takes, though the weights have them, and what the error says. */
const REFUSED: readonly (readonly [string, Readonly<Record<string, number>>, Shapes, string])[] = [
  [
    "smolvlm",
    { "text_config.hidden_size": 130 },
    [["embed_tokens", [496, 130]]],
    "text_config.hidden_size is 130, supported: multiples of 4",
  ],
  [
    "smolvlm",
    { "text_config.intermediate_size": 202 },
    [
      ["text_model.*(gate|up)_proj", [202, 128]],
      ["text_model.*down_proj", [128, 202]],
    ],
    "intermediate_size is 202, supported: multiples of 4",
  ],
  [
    "smolvlm",
    { "text_config.num_attention_heads": 3, "text_config.num_key_value_heads": 2 },
    [
      ["text_model.*q_proj", [192, 128]],
      ["text_model.*[kv]_proj", [128, 128]],
      ["text_model.*o_proj", [128, 192]],
    ],
    "text_config.num_attention_heads is 3, expected a multiple of num_key_value_heads, 2",
  ],
  [
    "smolvlm",
    { "vision_config.intermediate_size": 202 },
    [
      ["vision_model.*fc1.weight", [202, 128]],
      ["vision_model.*fc1.bias", [202]],
    ],
    "vision_config.intermediate_size is 202, supported: multiples of 4",
  ],
  [
    "lfm2_vl",
    { "vision_config.hidden_size": 126, "vision_config.num_attention_heads": 1 },
    [["patch_embedding.weight", [126, 768]]],
    "vision_config.hidden_size (or embed_dim) is 126, supported: multiples of 4",
  ],
  [
    "qwen2_vl",
    { "vision_config.mlp_ratio": 2.0125 },
    [
      ["mlp.fc1.weight", [322, 160]],
      ["mlp.fc1.bias", [322]],
    ],
    "vision_config.embed_dim * mlp_ratio is 322, supported: multiples of 4",
  ],
];

test.each(REFUSED)("%s with %j is refused by name", async (family, set, shapes, message) => {
  const folder = join(import.meta.dirname, "../..", UNPACKED, family);
  const checkpoint = await openModel(folder);
  const files = resizedFiles(checkpoint.files, { files: { "config.json": set } });
  const tensors = new Map(
    [...checkpoint.tensors].map(([name, stored]) => {
      return [name, { ...stored, shape: shapeOf(shapes, name) ?? stored.shape }] as const;
    }),
  );
  const recording = recordingOf({ ...checkpoint, files, tensors }, { contextLength: 64 });
  await expect(recording).rejects.toThrow(message);
});
