import { join } from "node:path";
import { expect, test } from "vitest";
import { UNPACKED } from "../../tests/goldens/paths.ts";
import { recordingOf } from "../../tests/recording.ts";
import { changed } from "../../tests/settings-table.ts";
import { openModel } from "../cli/open-model.ts";

/** Heads that no kernel takes, and the fields that the error names. */
test.each([
  ["smolvlm", "text_config.head_dim", 12, "text_config.head_dim"],
  ["smolvlm", "text_config.head_dim", 264, "text_config.head_dim"],
  ["smolvlm", "vision_config.num_attention_heads", 64, "hidden_size / num_attention_heads"],
  ["llava", "vision_config.num_attention_heads", 3, "hidden_size / num_attention_heads"],
  ["llava_onevision", "text_config.num_attention_heads", 32, "num_attention_heads"],
  ["internvl", "vision_config.num_attention_heads", 128, "hidden_size / num_attention_heads"],
  ["gemma3", "text_config.head_dim", 258, "text_config.head_dim"],
  ["lfm2_vl", "text_config.num_attention_heads", 32, "hidden_size / num_attention_heads"],
  ["qwen2_vl", "vision_config.num_heads", 8, "hidden_size / num_heads"],
  ["qwen3_vl", "vision_config.num_heads", 16, "hidden_size / num_heads"],
  ["mllama", "vision_config.attention_heads", 16, "hidden_size / attention_heads"],
])("%s with %s %i", async (family, field, value, named) => {
  const checkpoint = await openModel(join(import.meta.dirname, "../..", UNPACKED, family));
  const set = { [field]: value };
  const files = changed(checkpoint.files, { file: "config.json", set });
  const recording = recordingOf({ ...checkpoint, files }, { contextLength: 64 });
  await expect(recording).rejects.toThrow(/config\.json: .*heads of [\d.]+ channels, supported/);
  await expect(recording).rejects.toThrow(named);
});
