import { beforeAll, describe, expect, test } from "vitest";
import {
  GREEDY,
  type Golden,
  caseOf,
  openEngine,
  openGolden,
  prepareImages,
} from "../../tests/golden.ts";
import { type ChangedSetting, SETTINGS_TABLE, changed } from "../../tests/settings-table.ts";
import { testGpu } from "../../tests/support.ts";
import { generationDefaults } from "../chat/defaults.ts";
import { forbidTokens } from "../chat/forbidden-tokens.ts";
import { Tokenizer } from "../text/tokenizer.ts";

/**
 * One or two settings of each mechanism, by the ids of the table. The others are checked without a GPU,
 * by what the model records.
 */
const ASKED: Readonly<Record<string, readonly number[]>> = {
  smolvlm: [1, 2, 83, 85],
  llava: [43, 94, 155],
  internvl: [20, 49, 50],
  llava_onevision: [21],
  qwen2_vl: [28],
  qwen2_5_vl: [22, 26, 196, 197, 198, 199, 210],
  qwen3_vl: [30, 33, 34],
  gemma3: [58, 60, 63],
  lfm2_vl: [67],
};

describe.each(Object.entries(ASKED))("%s with a changed setting", (family, ids) => {
  let golden: Golden;
  let table: readonly ChangedSetting[];

  beforeAll(async () => {
    golden = await openGolden(family);
    table = (await (await fetch(`/${SETTINGS_TABLE}`)).json()) as ChangedSetting[];
  });

  test.each(ids)("%i: answers as the reference does", async (id) => {
    const entry = table.find((one) => one.id === id) ?? expect.fail(`no entry ${id}`);
    const case_ = caseOf(golden, "image");
    expect(entry.prompt_tokens).toBe(case_.input_ids.length);
    const files = changed(golden.checkpoint.files, entry);
    const gpu = await testGpu();
    const checkpoint = { ...golden.checkpoint, files };
    const { engine, model } = await openEngine(gpu, checkpoint, "f32", { contextLength: 256 });
    const images = await prepareImages(case_, model, "/e2e/goldens");
    const tokenizer = new Tokenizer(
      files["tokenizer.json"] as object,
      files["tokenizer_config.json"] as object,
    );
    const { forbidden, stopTokenIds } = generationDefaults(files, tokenizer);
    const { input_ids } = case_;
    const tokens = engine.generate({
      ids: input_ids,
      images,
      maxTokens: 8,
      stopTokenIds,
      sampling: GREEDY,
      ...(forbidden && { constraint: forbidTokens(forbidden, input_ids, stopTokenIds) }),
    });
    const answer: number[] = [];
    for await (const { token } of tokens) answer.push(token);
    expect(answer).toEqual(entry.output_ids);
  });
});
