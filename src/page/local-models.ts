import type { LocalFolder } from "../weights/blob-files.ts";
import type { LocalModel, LocalSource } from "./local-folder.ts";

const tasks = () => import("./storage-tasks.ts");

/**
 * Lists the folders that models were loaded from, the last used first. Only browsers that give handles
 * of folders (Chromium) can remember them.
 */
export async function localModels(): Promise<LocalModel[]> {
  return (await tasks()).rememberedHandles();
}

/** Forgets a folder. Its files stay as they are. */
export async function forgetLocalModel(id: string): Promise<void> {
  return (await tasks()).forgetHandle(id);
}

/** @returns a folder on the user's disk in a form that can be posted to a worker */
export async function openLocal(source: string | LocalSource): Promise<string | LocalFolder> {
  return typeof source === "string" ? source : (await tasks()).readLocalFolder(source);
}
