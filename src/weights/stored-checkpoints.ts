import type { ByteStore } from "../platform/platform.ts";
import { fileKey, readManifest, usedKey } from "./cache.ts";
import { parseHeader } from "./safetensors.ts";

/** A checkpoint that is stored, wholly or in part. */
export interface StoredCheckpoint {
  readonly id: string;
  readonly folder: string;
  /** The commit, if the folder is on a hub. */
  readonly revision: string | undefined;
  /** Data types of the weights, such as "BF16". */
  readonly storedAs: readonly string[];
  /** Bytes of weights in the store, and in the checkpoint. */
  readonly storedBytes: number;
  readonly totalBytes: number;
  /** When it was last loaded. Undefined for one that an older version has stored. */
  readonly lastUsed: Date | undefined;
}

/** @returns the checkpoints in a store, the last used first */
export async function listStored(store: ByteStore): Promise<StoredCheckpoint[]> {
  const keys = (await store.keys()).map((key) => key.split(" "));
  const folders = keys.flatMap(([kind, folder]) => (kind === "manifest" ? folder! : []));
  const found = await Promise.all(folders.map((folder) => describeFolder(store, folder, keys)));
  return found
    .filter((stored) => stored !== undefined)
    .sort((a, b) => (b.lastUsed?.getTime() ?? 0) - (a.lastUsed?.getTime() ?? 0));
}

async function describeFolder(
  store: ByteStore,
  folder: string,
  keys: readonly (readonly string[])[],
): Promise<StoredCheckpoint | undefined> {
  const manifest = await readManifest(store, folder);
  if (!manifest) return undefined;
  const { id, commit: revision, weights, neededBytes } = manifest;
  const dtypes = new Set<string>();
  for (const { name, tag } of weights) {
    const header = await store.get(fileKey(folder, name, tag));
    for (const dtype of header ? dtypesOf(name, header) : []) dtypes.add(dtype);
  }
  const sizes = keys
    .filter(([kind, of]) => kind === "chunk" && of === folder)
    .map(([, , , , range = "0-0"]) => {
      const [begin, end] = range.split("-");
      return Number(end) - Number(begin);
    });
  const used = await store.get(usedKey(folder));
  return {
    ...{ id, folder, revision, storedAs: [...dtypes] },
    storedBytes: sum(sizes),
    totalBytes: neededBytes ?? sum(weights.map(({ bytes }) => bytes)),
    lastUsed: used && new Date(Number(new TextDecoder().decode(used))),
  };
}

function dtypesOf(name: string, header: Uint8Array): readonly string[] {
  try {
    return [...parseHeader(name, header).tensors.values()].map(({ dtype }) => dtype);
  } catch {
    return []; // Of another kind of file, or damaged.
  }
}

/** Deletes everything that is stored of the checkpoints called `id`, and of no other. */
export async function deleteStored(store: ByteStore, id: string): Promise<void> {
  const listed = (await listStored(store)).filter((checkpoint) => checkpoint.id === id);
  const folders = new Set(listed.map(({ folder }) => folder));
  const keys = await store.keys();
  await store.delete(keys.filter((key) => folders.has(key.split(" ")[1] as string)));
}

/** Deletes everything in a store. */
export async function deleteAllStored(store: ByteStore): Promise<void> {
  await store.delete(await store.keys());
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
