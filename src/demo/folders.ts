import { droppedFolder, type LocalSource } from "../index.ts";
import { loadAs } from "./choose-model.ts";
import { addFiles } from "./compose.ts";
import { closeDialog } from "./dialogs.ts";
import { folderSource } from "./local.ts";
import { say } from "./notice.ts";

/** Loads a model from a folder on the user's disk, in place. */
export function loadFolder(folder: LocalSource, name: string): void {
  closeDialog();
  loadAs(folderSource(folder, name));
}

/** Takes what was dropped on the page: a model's folder, or images. */
export async function takeDrop(data: DataTransfer | null): Promise<void> {
  const files = [...(data?.files ?? [])];
  const folder = await droppedFolder(data);
  if (folder) loadFolder(folder, folder.name);
  else await addFiles(files);
}

type Picker = { showDirectoryPicker?(): Promise<FileSystemDirectoryHandle> };

/** Whether the browser gives handles of folders, which it can remember. */
export const picksHandles = "showDirectoryPicker" in globalThis;

/** Asks the user for a folder, and loads it. */
export async function pickFolder(): Promise<void> {
  try {
    const handle = await (globalThis as Picker).showDirectoryPicker?.();
    if (handle) loadFolder(handle, handle.name);
  } catch (error) {
    if ((error as Error).name !== "AbortError") say(String(error)); // The user has cancelled.
  }
}

/** Loads what an `<input webkitdirectory>` has. */
export function loadChosen(files: FileList): void {
  const [first] = files;
  if (first) loadFolder([...files], first.webkitRelativePath.split("/")[0] || first.name);
}
