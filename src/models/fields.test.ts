import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "vitest";
import {
  type MakeChat,
  decisive,
  decisiveSettings,
  imageMessages,
  sharedChat,
} from "../../tests/decisive.ts";
import { FIELD_FAMILIES, fieldRows } from "../../tests/fields-table.ts";
import { UNPACKED } from "../../tests/goldens/paths.ts";
import { changed } from "../../tests/settings-table.ts";
import type { FieldChange } from "../../tests/watched-files.ts";
import type { ChatMessage } from "../chat/messages.ts";
import { openModel } from "../cli/open-model.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import type { CheckpointFiles } from "./model.ts";

const ROOT = join(import.meta.dirname, "../..");
const SRC = join(ROOT, "src");

/** Fields with which ours stays the same, and the reason where the reference's answer does not. */
const KEPT: Readonly<Record<string, string>> = {
  tie_word_embeddings:
    "a head that no file has is drawn at random there, and is the embeddings here",
  is_assistant: "the reference's own mark of a model that drafts for another",
  prefill_chunk_size: "computes a prompt in parts, at which the reference's Mllama class fails",
  prompt_lookup_num_tokens: "drafts tokens, which draws other numbers and changes no probability",
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

/** Fields that count or list layers. Of more than there are, the first tensor that is missing is named. */
const LAYERS = /^(num_(hidden|global)_layers|depth|cross_attention_layers)$/;
const MISSING_LAYER = /has no tensor \S+\.(layers?|blocks)\.\d+\./;

/** All words in the code of the library: a field that is not among them is not read. */
const SOURCE = new Set(
  readdirSync(SRC, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
    .flatMap((path) => readFileSync(join(SRC, path), "utf8").match(/\w+/g) ?? []),
);

/** Few plans are recorded for a short context. */
const CONTEXT = 64;

/** The rows of generation_config.json are of a folder that samples. */
const SAMPLED = { file: "generation_config.json", set: { do_sample: true, top_k: 0 } };

function withField(files: CheckpointFiles, row: FieldChange): CheckpointFiles {
  const { file, field } = row;
  const change = "value" in row ? { set: { [field]: row.value } } : { remove: [field] };
  return changed(files, { file, ...change });
}

/** What decides the answer, apart from the context's length, which other tests compare. */
async function decisiveOf(
  checkpoint: Checkpoint,
  file: string,
  messages: readonly ChatMessage[],
  chat: MakeChat,
) {
  if (file !== "config.json") return decisiveSettings(checkpoint.files, messages, chat);
  const options = { contextLength: CONTEXT, steps: false, chat };
  const { text, ...rest } = await decisive(checkpoint, messages, options);
  return { ...rest, text: text.filter(([field]) => field !== "max_position_embeddings") };
}

const folders = new Map<string, ReturnType<typeof openModel>>();

/** A golden folder, unchanged, for the rows of one file. */
async function open(family: string, file: string) {
  const opening = folders.get(family) ?? openModel(join(ROOT, UNPACKED, family));
  folders.set(family, opening);
  const opened = await opening;
  const files = file === SAMPLED.file ? changed(opened.files, SAMPLED) : opened.files;
  const checkpoint = { ...opened, files };
  const chats = sharedChat(files);
  const messages = imageMessages(family);
  const plain = await decisiveOf(checkpoint, file, messages, chats());
  return { checkpoint, messages, chats, plain };
}

/** Throws unless an error says which setting it is about. */
function expectNamed({ message }: Error, name: string): void {
  const isNamed = message.includes(name) || (LAYERS.test(name) && MISSING_LAYER.test(message));
  expect(isNamed, message).toBe(true);
}

const FILES = FIELD_FAMILIES.flatMap((family) => {
  const rows = fieldRows(family);
  return [...new Set(rows.map(({ file }) => file))].map((file) => {
    return { family, file, rows: rows.filter((row) => row.file === file) };
  });
});

describe.each(FILES)(
  "$family, $file: any field does what it does in the reference",
  ({ family, file, rows }) => {
    let folder: ReturnType<typeof open> | undefined;

    test.each(rows)("$field $value", async (row) => {
      const { field, outcome } = row;
      const name = field.split(".").at(-1) as string;
      const isKept = name in KEPT;
      const isRepeated = outcome === "refuses" && !("value" in row) && REPEATED.includes(name);
      if (file === "config.json" && !SOURCE.has(name)) {
        if (!isRepeated && !isKept) expect(outcome).toBe("same");
        return;
      }
      const { checkpoint, messages, chats, plain } = await (folder ??= open(family, file));
      const files = withField(checkpoint.files, row);
      let ours: typeof plain;
      try {
        ours = await decisiveOf({ ...checkpoint, files }, file, messages, chats(row));
      } catch (error) {
        expectNamed(error as Error, name);
        return;
      }
      const isSame = isDeepStrictEqual(ours, plain);
      if (outcome === "same" || isRepeated || isKept) {
        if (!isSame) expect(ours).toEqual(plain);
      } else if (outcome === "refuses") {
        expect.fail("the reference refuses it");
      } else {
        expect(isSame).toBe(false);
        expect(ours.ids).toEqual(outcome.prompt ?? plain.ids);
      }
    });
  },
);
