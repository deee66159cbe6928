import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { safetensors } from "../../tests/checkpoint.ts";
import { random } from "../../tests/support.ts";
import { blobFiles } from "../weights/blob-files.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import type { Folder } from "../weights/folder.ts";
import { openFolder } from "../weights/open-folder.ts";
import { ChangedError } from "../weights/weight-file.ts";
import { folderFiles } from "./folder-files.ts";

const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
/** More than one chunk of 8 MiB. */
const WEIGHTS = safetensors({
  a: { dtype: "F32", shape: [2_200_000], data: new Uint8Array(random(2_200_000, 1).buffer) },
  b: { dtype: "F32", shape: [3], data: new Uint8Array(random(3, 2).buffer) },
});
const SMALL = {
  "config.json": encode({ model_type: "test" }),
  "tokenizer.json": encode({ version: "1.0" }),
  "chat_template.jinja": new TextEncoder().encode("{{ messages }}"),
  "additional_chat_templates/tool_use.jinja": new TextEncoder().encode("{{ tools }}"),
};
const FILES: Readonly<Record<string, Uint8Array<ArrayBuffer>>> = {
  ...SMALL,
  "model.safetensors": WEIGHTS,
};

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "webvlm-folder-"));
});
afterEach(() => rm(root, { recursive: true }));

async function onDisk(files: typeof FILES): Promise<Folder> {
  for (const [name, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), bytes);
  }
  return folderFiles(root, "model");
}

async function inBlobs(files: typeof FILES): Promise<Folder> {
  const blobs = Object.entries(files).map(([name, bytes]) => {
    return [name, new File([bytes], name, { lastModified: 1 })] as const;
  });
  return blobFiles({ id: "model", files: new Map(blobs) });
}

async function read(checkpoint: Checkpoint, signal?: AbortSignal): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let position = 0;
  for await (const { begin, bytes, network } of checkpoint.stream({ signal })) {
    expect([begin, network]).toEqual([position, false]);
    position += bytes.length;
    pieces.push(bytes);
  }
  return Buffer.concat(pieces);
}

const without = (name: string) =>
  Object.fromEntries(Object.entries(FILES).filter(([other]) => other !== name));

describe.each([
  ["a folder on the disk", onDisk],
  ["files that a page was given", inBlobs],
])("%s", (_, files) => {
  test("is opened in place, and streamed in order", async () => {
    const checkpoint = await openFolder(await files(FILES));
    expect(checkpoint.id).toBe("model");
    expect(Object.keys(checkpoint.files).sort()).toEqual(Object.keys(SMALL).sort());
    expect(checkpoint.files["config.json"]).toEqual({ model_type: "test" });
    expect([...checkpoint.tensors.keys()]).toEqual(["a", "b"]);
    expect(Buffer.compare(await read(checkpoint), WEIGHTS)).toBe(0);
  });

  test("shards, by their index", async () => {
    const two = safetensors({ c: { dtype: "F32", shape: [1], data: new Uint8Array(4) } });
    const index = {
      weight_map: { a: "one.safetensors", b: "one.safetensors", c: "two.safetensors" },
    };
    const checkpoint = await openFolder(
      await files({
        ...SMALL,
        "one.safetensors": WEIGHTS,
        "two.safetensors": two,
        "model.safetensors.index.json": encode(index),
      }),
    );
    expect([...checkpoint.tensors.keys()]).toEqual(["a", "b", "c"]);
    const streamed: string[] = [];
    for await (const { file } of checkpoint.stream()) streamed.push(file);
    expect(streamed).toEqual(["one.safetensors", "one.safetensors", "two.safetensors"]);
  });

  test.each(["config.json", "tokenizer.json", "model.safetensors"])(
    "without %s, the error names what is missing",
    async (name) => {
      const named = name === "model.safetensors" ? "model.safetensors.index.json" : name;
      await expect(openFolder(await files(without(name)))).rejects.toThrow(` has no ${named}`);
    },
  );

  test("a file that is cut off is damaged", async () => {
    for (const [length, message] of [
      [6, "it has 6 bytes"],
      [50, "the file only 50"],
      [5000, "its header says"],
    ] as const) {
      const cut = { ...FILES, "model.safetensors": WEIGHTS.slice(0, length) };
      await expect(openFolder(await files(cut))).rejects.toThrow(message);
    }
  });

  test("an aborted signal ends the stream with its reason", async () => {
    const checkpoint = await openFolder(await files(FILES));
    const reason = new Error("enough");
    await expect(read(checkpoint, AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});

test("a file that changes on the disk while it is read ends the load", async () => {
  const checkpoint = await openFolder(await onDisk(FILES));
  await utimes(join(root, "model.safetensors"), 1, 1);
  await expect(read(checkpoint)).rejects.toThrow(ChangedError);
});

test("links count as the files that they lead to, unless these are gone", async () => {
  await onDisk(without("config.json"));
  await symlink(join(root, "tokenizer.json"), join(root, "config.json"));
  await symlink(join(root, "nowhere"), join(root, "processor_config.json"));
  const { files } = await openFolder(await folderFiles(root));
  expect(files["config.json"]).toEqual({ version: "1.0" });
  expect(files["processor_config.json"]).toBeUndefined();
});
