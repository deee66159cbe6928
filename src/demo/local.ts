import type { LocalSource } from "../index.ts";

/** Begins the source of a model in a folder on this device; the folder's name follows. */
const PREFIX = "this device/";

const folders = new Map<string, LocalSource>();

/** @returns what stands for a folder where a model is named */
export function folderSource(folder: LocalSource, name: string): string {
  folders.set(PREFIX + name, folder);
  return PREFIX + name;
}

/** @returns what to pass to `load` for a source: the folder that it stands for, or itself */
export function resolveFolder(source: string): string | LocalSource {
  return folders.get(source) ?? source;
}

export function isFolder(source: string): boolean {
  return folders.has(source);
}
