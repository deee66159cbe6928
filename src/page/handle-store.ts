import { createStore, del, entries, set } from "idb-keyval";
import type { LocalModel } from "./local-folder.ts";

type Remembered = Pick<LocalModel, "handle" | "lastUsed">;

const openHandles = () => createStore("webvlm-folders", "handles");

/** See `localModels`. */
export async function rememberedHandles(): Promise<LocalModel[]> {
  if (typeof indexedDB === "undefined") return [];
  const all = await entries<string, Remembered>(openHandles());
  return all
    .map(([id, remembered]) => ({ id, ...remembered }))
    .sort((a, b) => b.lastUsed.getTime() - a.lastUsed.getTime());
}

/** See `forgetLocalModel`. */
export async function forgetHandle(id: string): Promise<void> {
  await del(id, openHandles());
}

/** Remembers a folder for the next visit. Does nothing where the browser stores nothing. */
export async function rememberHandle(handle: FileSystemDirectoryHandle): Promise<void> {
  try {
    await set(handle.name, { handle, lastUsed: new Date() } satisfies Remembered, openHandles());
  } catch {
    // Private windows may refuse. The model is loaded all the same.
  }
}
