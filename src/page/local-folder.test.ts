import { expect, test } from "vitest";
import { droppedFolder } from "./local-folder.ts";
import { readLocalFolder } from "./read-local-folder.ts";

type Tree = { readonly [name: string]: string | Tree };

const MODEL: Tree = {
  "config.json": "{}",
  "model.safetensors": "weights",
  additional_chat_templates: { "tool_use.jinja": "t", deeper: { "ignored.json": "" } },
};
const FOUND = {
  "config.json": "{}",
  "model.safetensors": "weights",
  "additional_chat_templates/tool_use.jinja": "t",
};

/** A directory handle, as `showDirectoryPicker` gives it. */
function handleOf(name: string, tree: Tree, permissions: PermissionState[] = ["granted"]) {
  const next = async () => permissions.shift();
  return {
    kind: "directory",
    name,
    queryPermission: next,
    requestPermission: next,
    async *entries() {
      for (const [inner, value] of Object.entries(tree)) {
        if (typeof value !== "string") yield [inner, handleOf(inner, value)];
        else yield [inner, { kind: "file", getFile: async () => new File([value], inner) }];
      }
    },
  } as unknown as FileSystemDirectoryHandle;
}

/** A directory entry, as `webkitGetAsEntry` gives it: two children at a time. */
function entryOf(name: string, tree: Tree): FileSystemDirectoryEntry {
  const children = Object.entries(tree).map(([inner, value]) =>
    typeof value === "string"
      ? {
          isFile: true,
          name: inner,
          file: (take: (file: File) => void) => take(new File([value], inner)),
        }
      : entryOf(inner, value),
  );
  const createReader = () => {
    const left = [...children];
    return { readEntries: (take: (some: object[]) => void) => take(left.splice(0, 2)) };
  };
  return {
    isFile: false,
    isDirectory: true,
    name,
    createReader,
  } as unknown as FileSystemDirectoryEntry;
}

/** Files of `<input webkitdirectory>`, or of `<input multiple>` without a folder's name. */
function filesOf(folder: string): File[] {
  return Object.entries(FOUND).map(([path, text]) => {
    const file = new File([text], path.split("/").at(-1)!);
    const webkitRelativePath = folder && `${folder}/${path}`;
    return Object.defineProperty(file, "webkitRelativePath", { value: webkitRelativePath });
  });
}

async function contents(source: Parameters<typeof readLocalFolder>[0]) {
  const { id, files } = await readLocalFolder(source);
  const texts = [...files].map(async ([name, file]) => [name, await file.text()]);
  return { id, files: Object.fromEntries(await Promise.all(texts)) as Record<string, string> };
}

test.each([
  ["a directory handle", handleOf("my-model", MODEL)],
  ["a dropped directory", entryOf("my-model", MODEL)],
  ["files of a chosen folder", filesOf("my-model")],
])("%s", async (_, source) => {
  expect(await contents(source)).toEqual({ id: "my-model", files: FOUND });
});

test("files without a folder have the name of the first", async () => {
  const files = [new File(["{}"], "config.json"), new File([""], "tokenizer.json")];
  const { id, files: found } = await contents(files);
  expect([id, Object.keys(found)]).toEqual(["config", ["config.json", "tokenizer.json"]]);
});

test("the user is asked once, and may refuse", async () => {
  expect((await contents(handleOf("m", MODEL, ["prompt", "granted"]))).id).toBe("m");
  await expect(readLocalFolder(handleOf("m", MODEL, ["prompt", "denied"]))).rejects.toThrow(
    "does not permit reading the folder m",
  );
});

test("an empty folder is an error", async () => {
  await expect(readLocalFolder(handleOf("m", {}))).rejects.toThrow("the folder m is empty");
});

const item = (entry: object | null, handle?: object) => ({
  kind: "file",
  webkitGetAsEntry: () => entry,
  ...(handle && { getAsFileSystemHandle: async () => handle }),
});
const dropped = (...items: object[]) =>
  droppedFolder({ items } as unknown as Pick<DataTransfer, "items">);

test("a dropped folder is found by its handle, else by its entry", async () => {
  const [handle, entry] = [handleOf("m", MODEL), entryOf("m", MODEL)];
  const file = item({ isDirectory: false });
  expect(await dropped(file, item(entry, handle))).toBe(handle);
  expect(await dropped(item(entry))).toBe(entry);
  expect(await dropped(file, { kind: "string" })).toBeUndefined();
  expect(await droppedFolder(null)).toBeUndefined();
});
