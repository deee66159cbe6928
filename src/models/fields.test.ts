import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { decisive, decisiveSettings, imageMessages } from "../../tests/decisive.ts";
import { FIELD_FAMILIES, type FieldRow, fieldRows } from "../../tests/fields-table.ts";
import { UNPACKED } from "../../tests/goldens/paths.ts";
import { changed } from "../../tests/settings-table.ts";
import { openModel } from "../cli/open-model.ts";
import type { CheckpointFiles } from "./model.ts";

const SRC = join(import.meta.dirname, "..");

/** Fields that differ, with the reason: what we make of them when they are changed, or left out. */
const DIFFERENT: Readonly<Record<string, string>> = {
  tie_word_embeddings:
    "without a head in the file, the embeddings are the head; the reference draws one at random",
  eos_token_id:
    "answers also end at config.json's token; the reference takes generation_config.json's alone",
  is_assistant: "the reference's own mark of a model that drafts for another",
  prompt_lookup_num_tokens: "drafts tokens, which changes no probability",
};

/** Fields that another setting or the weights repeat. Left out, they are not the class's default here. */
const REPEATED = [
  ...[
    "intermediate_size",
    "hidden_size",
    "embed_dim",
    "mlp_ratio",
    "out_hidden_size",
    "image_size",
  ],
  ...[
    "projector_hidden_size",
    "image_seq_len",
    "image_seq_length",
    "num_image_tokens",
    "patch_size",
  ],
  ...["projection_dim", "vision_output_dim", "image_grid_pinpoints", "pad_token_id", "bos_token"],
  ...["num_additional_image_tokens", "vision_feature_select_strategy"],
];

/** All code of the library: a field that it does not name is not read. */
const SOURCE = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
  .map((path) => readFileSync(join(SRC, path), "utf8"))
  .join("\n");

/** Few plans are recorded for a short context. */
const CONTEXT = 64;

/** The rows of generation_config.json are of a folder that samples. */
const SAMPLED = { file: "generation_config.json", set: { do_sample: true, top_k: 0 } };

function withField(files: CheckpointFiles, row: FieldRow): CheckpointFiles {
  const { file, field } = row;
  const change = "value" in row ? { set: { [field]: row.value } } : { remove: [field] };
  return changed(files, { file, ...change });
}

/** What decides the answer, apart from the context's length, which other tests compare. */
async function decisiveOf(files: CheckpointFiles, { file }: FieldRow, family: string) {
  const messages = imageMessages(family);
  if (file !== "config.json") return decisiveSettings(files, messages);
  const checkpoint = await open(family);
  const { text, ...rest } = await decisive({ ...checkpoint, files }, files, messages, CONTEXT);
  return { ...rest, text: text.filter(([field]) => field !== "max_position_embeddings") };
}

const opened = new Map<string, ReturnType<typeof openModel>>();

function open(family: string): ReturnType<typeof openModel> {
  const folder = join(import.meta.dirname, "../..", UNPACKED, family);
  const checkpoint = opened.get(family) ?? openModel(folder);
  opened.set(family, checkpoint);
  return checkpoint;
}

describe.each(FIELD_FAMILIES)("%s: any field does what it does in the reference", (family) => {
  const plain = new Map<string, ReturnType<typeof decisiveOf>>();

  test.each(fieldRows(family))("$file: $field $value", async (row) => {
    const { file, field, outcome } = row;
    const name = field.split(".").at(-1) as string;
    if (DIFFERENT[name]) return;
    const isRepeated = outcome === "refuses" && !("value" in row) && REPEATED.includes(name);
    if (file === "config.json" && !SOURCE.includes(name)) {
      if (!isRepeated) expect(outcome).toBe("same");
      return;
    }
    const { files } = await open(family);
    const base = file === SAMPLED.file ? changed(files, SAMPLED) : files;
    const unchanged = plain.get(file) ?? decisiveOf(base, row, family);
    plain.set(file, unchanged);
    let ours: Awaited<typeof unchanged>;
    try {
      ours = await decisiveOf(withField(base, row), row, family);
    } catch (error) {
      if (outcome === "refuses") return;
      // Of more layers than there are, the first tensor that is missing is named.
      const { message } = error as Error;
      expect(message.includes(name) || message.includes("has no tensor"), message).toBe(true);
      return;
    }
    if (outcome === "same" || isRepeated) expect(ours).toEqual(await unchanged);
    else {
      expect(outcome).not.toBe("refuses");
      expect(ours).not.toEqual(await unchanged);
      expect(outcome).toMatchObject({ prompt: ours.ids.length });
    }
  });
});
