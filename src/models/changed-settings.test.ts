import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readJson } from "../../tests/chat-support.ts";
import { decisive, imageMessages } from "../../tests/decisive.ts";
import { UNPACKED } from "../../tests/goldens/paths.ts";
import { type ChangedSetting, SETTINGS_TABLE, changed } from "../../tests/settings-table.ts";
import { openModel } from "../cli/open-model.ts";

const CHANGED_SETTINGS = readJson(SETTINGS_TABLE) as readonly ChangedSetting[];

/** Settings whose error names the setting that repeats them. */
const REPEATED: Readonly<Record<string, string>> = {
  scale_factor: "image_seq_len",
  downsample_ratio: "image_seq_length",
  mm_tokens_per_image: "image_seq_length",
  image_token_id: "image token",
};

/** Throws unless an error names a setting that the entry changes. */
function expectNamed({ message }: Error, { set = {}, remove = [] }: ChangedSetting): void {
  const paths = [...Object.keys(set), ...remove].flatMap((path) => path.split("."));
  const names = paths.flatMap((name) => [name, REPEATED[name] ?? name]);
  expect(
    names.filter((name) => message.includes(name)),
    message,
  ).not.toEqual([]);
}

/**
 * Settings of which only the layout is compared. The recording does not show which table a layer reads,
 * and shows axes of equal positions, and plans for images larger than the case's.
 */
const LAYOUT_ONLY = [
  "vision_config.fullatt_block_indexes",
  "text_config.rope_scaling.mrope_section",
  "size",
  "max_pixels",
];

const FAMILIES = [...new Set(CHANGED_SETTINGS.map(({ family }) => family))];

describe.each(FAMILIES)("%s: a changed setting does what it does in the reference", (family) => {
  const open = openModel(join(import.meta.dirname, "../..", UNPACKED, family));
  const messages = imageMessages(family);
  const plain = open.then((checkpoint) => decisive(checkpoint, messages));
  const entries = CHANGED_SETTINGS.filter((entry) => entry.family === family);

  test.each(entries)("$id, $file: $set, without $remove", async (entry) => {
    const checkpoint = await open;
    let outcome: Awaited<ReturnType<typeof decisive>>;
    try {
      outcome = await decisive(
        { ...checkpoint, files: changed(checkpoint.files, entry) },
        messages,
      );
    } catch (error) {
      expectNamed(error as Error, entry);
      return;
    }
    expect(entry.refuses).toBeUndefined();
    if (Object.keys(entry.set ?? {}).some((path) => LAYOUT_ONLY.includes(path))) {
      expect(outcome.layout).toEqual((await plain).layout);
    } else if (entry.same) expect(outcome).toEqual(await plain);
    else expect(outcome).not.toEqual(await plain);
  });
});

test("the reference's refusals are ours, too, and few more", () => {
  expect(CHANGED_SETTINGS).toHaveLength(209);
  expect(CHANGED_SETTINGS.filter(({ refuses }) => refuses)).toHaveLength(32);
});
