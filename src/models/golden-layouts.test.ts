import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { ScriptedGenerator, type TextCase, decodePng, readJson } from "../../tests/chat-support.ts";
import { LAYOUT_FOLDERS } from "../../tests/families.ts";
import { GOLDENS, UNPACKED } from "../../tests/goldens/paths.ts";
import { layoutsOf } from "../../tests/processor-goldens.ts";
import { recordingOf } from "../../tests/recording.ts";
import { type ChatModel, chatModel } from "../chat/model.ts";
import { buildPrompt } from "../chat/prompt.ts";
import { openModel } from "../cli/open-model.ts";
import { compileGrammar } from "../grammar/compile-grammar.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import { createModel } from "./registry.ts";

/** What comes after the layer whose output the projector takes. */
const UNREAD: Readonly<Record<string, RegExp>> = {
  "llava-resaved": /vision_tower\.\S*(post_layernorm|encoder\.layers\.1)\./,
  "llava_onevision-published": /vision_tower\.\S*post_layernorm\./,
};

describe.each(LAYOUT_FOLDERS)("%s", (folder) => {
  let checkpoint: Checkpoint;
  let model: ChatModel;

  beforeAll(async () => {
    checkpoint = await openModel(join(import.meta.dirname, "../..", UNPACKED, folder));
    const { processor } = createModel(checkpoint.files);
    const generator = new ScriptedGenerator();
    const options = { generator, processor, decodeImage: decodePng, compileGrammar };
    model = chatModel(checkpoint.files, options);
  });

  test("prompts are the reference's, in text and ids", () => {
    const cases = readJson(`${GOLDENS}/${folder}/cases.json`) as (TextCase &
      Parameters<typeof layoutsOf>[0])[];
    expect(cases.length).toBeGreaterThan(1);
    for (const golden of cases) {
      const decoded = { width: 1, height: 1, source: new Uint8Array() };
      const images = layoutsOf(golden, model.processor).map((layout) => ({ decoded, layout }));
      const { text, ids } = buildPrompt(model, golden.messages, images);
      expect(text, golden.name).toBe(golden.prompt);
      expect(ids, golden.name).toEqual(golden.input_ids);
    }
  });

  test("every tensor in the file is read, the head too", async () => {
    const { weights } = await recordingOf(checkpoint);
    const read = new Set(weights.flatMap(({ stored }) => stored));
    const unread = [...checkpoint.tensors].filter(([, info]) => !read.has(info));
    expect(unread.map(([name]) => name).filter((name) => !UNREAD[folder]?.test(name))).toEqual([]);
  });
});

test("a context length that the file leaves out is the decoder's own", async () => {
  const folder = join(import.meta.dirname, "../..", UNPACKED, "llava_onevision-published");
  const { files } = await openModel(folder);
  expect(JSON.stringify(files["config.json"])).not.toContain("max_position_embeddings");
  expect(createModel(files).text.max_position_embeddings).toBe(32_768);
});
