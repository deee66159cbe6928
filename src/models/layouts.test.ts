import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { FOLDERS } from "../../tests/families.ts";
import { GOLDENS, UNPACKED } from "../../tests/goldens/paths.ts";
import { recordingOf } from "../../tests/recording.ts";
import { openModel } from "../cli/open-model.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";

const ROOT = join(import.meta.dirname, "../..");

/** By published name: the name under which transformers 5 saves the tensor, and its parameter's name. */
type Names = Readonly<Record<string, readonly [saved: string, parameter: string]>>;

const openGolden = (folder: string): Promise<Checkpoint> => openModel(join(ROOT, UNPACKED, folder));

async function json<T>(path: string): Promise<T> {
  return JSON.parse(await readFile(join(ROOT, GOLDENS, path), "utf8")) as T;
}

function renamed(checkpoint: Checkpoint, names: Names, column: 0 | 1): Checkpoint {
  const tensors = new Map(
    Array.from(checkpoint.tensors, ([name, info]) => {
      const other = names[name] ?? expect.fail(`names.json lacks ${name}`);
      return [other[column], info];
    }),
  );
  return { ...checkpoint, tensors };
}

describe.each(FOLDERS)("%s is run as it is published", (folder) => {
  test("when transformers 5 has saved it", async () => {
    const checkpoint = await openGolden(folder);
    const names = await json<Names>(`${folder}/newer/names.json`);
    const config = await json<object>(`${folder}/newer/config.json`);
    const { files, ...rest } = renamed(checkpoint, names, 0);
    expect(config).not.toEqual(files["config.json"]);
    const saved = { ...rest, files: { ...files, "config.json": config } };
    expect(await recordingOf(saved)).toEqual(await recordingOf(checkpoint));
  });

  test("under the names of its modules' parameters", async () => {
    const checkpoint = await openGolden(folder);
    const names = await json<Names>(`${folder}/newer/names.json`);
    expect(await recordingOf(renamed(checkpoint, names, 1))).toEqual(await recordingOf(checkpoint));
  });
});

/** MLX's names, by those of the modules' parameters. */
const MLX_NAMES: Readonly<Record<string, (parameter: string) => string>> = {
  smolvlm: (name) =>
    name
      .replace(/^model\./, "")
      .replace(/^(text_model|lm_head)\./, (part) => `language_model.${part}`)
      .replace("text_model.", ""),
  ...Object.fromEntries(
    ["qwen2_vl", "qwen2_5_vl", "qwen3_vl"].map((folder) => [
      folder,
      (name: string) =>
        name
          .replace(/^model\.language_model\./, "language_model.model.")
          .replace(/^model\.visual\./, "vision_tower.")
          .replace(/^lm_head\./, "language_model.$&"),
    ]),
  ),
};

/** Convolutions have their channels last there. */
const mlxShape = ([O = 0, ...rest]: readonly number[]) =>
  rest.length > 2 ? [O, ...rest.slice(1), rest[0]!] : [O, ...rest];

test.each(Object.entries(MLX_NAMES))("%s is run as MLX stores it", async (folder, mlxName) => {
  const checkpoint = await openGolden(folder);
  const names = await json<Names>(`${folder}/newer/names.json`);
  const expected = renamed(checkpoint, names, 1);
  const tensors = new Map(
    Array.from(expected.tensors, ([name, info]) => [
      mlxName(name),
      { ...info, shape: mlxShape(info.shape) },
    ]),
  );
  const { weights, ...recording } = (await recordingOf({ ...checkpoint, tensors })) as Recording;
  const { weights: others, ...other } = (await recordingOf(expected)) as Recording;
  expect(recording).toEqual(other);
  expect(weights).toEqual(
    others.map(({ stored, ...weight }) => ({
      ...weight,
      stored: stored.map((info) => ({ ...info, shape: mlxShape(info.shape) })),
    })),
  );
});

interface Recording {
  readonly weights: readonly {
    readonly stored: readonly { readonly shape: readonly number[] }[];
  }[];
}

test("LFM2-VL in the layout of its first checkpoints is run as it is published", async () => {
  const checkpoint = await openGolden("lfm2_vl");
  const { files } = checkpoint;
  type Config = Record<string, object>;
  const { image_token_id, ...config } = files["config.json"] as Config;
  const text_config = { ...config["text_config"], layer_types: undefined };
  const { image_mean, image_std, resample, ...settings } = files[
    "preprocessor_config.json"
  ] as Config;
  const first = {
    ...checkpoint,
    files: {
      ...files,
      "config.json": {
        ...config,
        model_type: "lfm2-vl",
        image_token_index: image_token_id,
        text_config,
      },
      "preprocessor_config.json": { image_mean, image_std, resample, do_resize: false },
      "processor_config.json": settings,
    },
  };
  expect(await recordingOf(first)).toEqual(await recordingOf(checkpoint));
});
