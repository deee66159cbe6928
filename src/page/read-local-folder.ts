import type { LocalFolder } from "../weights/blob-files.ts";
import { type LocalSource, isHandle } from "./local-folder.ts";

/** What TypeScript doesn't know: only Chromium has it. */
interface PermissionHandle extends FileSystemDirectoryHandle {
  queryPermission?(options: { mode: "read" }): Promise<PermissionState>;
  requestPermission?(options: { mode: "read" }): Promise<PermissionState>;
}

/**
 * Collects the files of a folder and of the folders in it. No byte of them is read.
 *
 * @throws Error when the user does not permit it, or the folder is empty
 */
export async function readLocalFolder(source: LocalSource): Promise<LocalFolder> {
  const files = new Map<string, File>();
  let id = "";
  if (isHandle(source)) {
    await permit(source);
    id = source.name;
    await addHandles(source, "", files);
  } else if ("isDirectory" in source) {
    id = source.name;
    await addEntries(source, "", files);
  } else {
    for (const file of source) files.set(file.webkitRelativePath || file.name, file);
    id = stripFolder(files);
  }
  if (files.size > 0) return { id, files };
  throw new Error(`load: the folder ${id} is empty`);
}

async function permit(handle: PermissionHandle): Promise<void> {
  const mode = { mode: "read" } as const;
  if ((await handle.queryPermission?.(mode)) === "granted") return;
  const answer = await handle.requestPermission?.(mode);
  if (answer === undefined || answer === "granted") return;
  throw new Error(`load: the user does not permit reading the folder ${handle.name}`);
}

async function addHandles(
  folder: FileSystemDirectoryHandle,
  prefix: string,
  files: Map<string, File>,
): Promise<void> {
  for await (const [name, handle] of folder.entries()) {
    if (handle.kind === "file") {
      files.set(prefix + name, await (handle as FileSystemFileHandle).getFile());
    } else if (!prefix) {
      await addHandles(handle as FileSystemDirectoryHandle, `${name}/`, files);
    }
  }
}

async function addEntries(
  folder: FileSystemDirectoryEntry,
  prefix: string,
  files: Map<string, File>,
): Promise<void> {
  const reader = folder.createReader();
  for (;;) {
    // A browser returns a hundred at a time.
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (entries.length === 0) return;
    for (const entry of entries) {
      if (entry.isFile) {
        const file = await new Promise<File>((resolve, reject) =>
          (entry as FileSystemFileEntry).file(resolve, reject),
        );
        files.set(prefix + entry.name, file);
      } else if (!prefix) {
        await addEntries(entry as FileSystemDirectoryEntry, `${entry.name}/`, files);
      }
    }
  }
}

/**
 * Removes the folder's name from the paths that `<input webkitdirectory>` gives.
 *
 * @returns that name; for files without a folder, the first file's
 */
function stripFolder(files: Map<string, File>): string {
  const [first = ""] = files.keys();
  const folder = first.slice(0, first.indexOf("/") + 1);
  if (!folder || ![...files.keys()].every((path) => path.startsWith(folder))) {
    return first.replace(/\.\w+$/, "");
  }
  for (const [path, file] of [...files]) {
    files.delete(path);
    files.set(path.slice(folder.length), file);
  }
  return folder.slice(0, -1);
}
