import type { ByteStore } from "../platform/platform.ts";
import { chunkRange, fileKey, readManifest, usedKey } from "./cache.ts";
import { formatNames, parseIndex } from "./packed-store.ts";
import { parseHeader } from "./safetensors.ts";

/** A checkpoint that is stored, wholly or in part. */
export interface StoredCheckpoint {
  readonly id: string;
  readonly folder: string;
  /** The commit, if the folder is on a hub. */
  readonly revision: string | undefined;
  /** Data types of the weights, such as "BF16", or the formats that they were packed in, such as "q4". */
  readonly storedAs: readonly string[];
  /** Bytes of weights in the store, and in the checkpoint. */
  readonly storedBytes: number;
  readonly totalBytes: number;
  /** When it was last loaded. Undefined for one that an older version has stored. */
  readonly lastUsed: Date | undefined;
}

/** @returns the checkpoints in a store, the last used first */
export async function listStored(store: ByteStore): Promise<StoredCheckpoint[]> {
  const byFolder = new Map<string, Key[]>();
  for (const key of await store.keys()) {
    const [kind = "", folder = "", ...rest] = key.split(" ");
    const own = byFolder.get(folder) ?? [];
    byFolder.set(folder, own);
    own.push({ key, kind, rest });
  }
  const found = await Promise.all(
    Array.from(byFolder, ([folder, keys]) => describeFolder(store, folder, keys)),
  );
  return found
    .filter((stored) => stored !== undefined)
    .sort((a, b) => (b.lastUsed?.getTime() ?? 0) - (a.lastUsed?.getTime() ?? 0));
}

/** A key of a folder, split. */
interface Key {
  readonly key: string;
  readonly kind: string;
  /** What follows the kind and the folder. */
  readonly rest: readonly string[];
}

async function describeFolder(
  store: ByteStore,
  folder: string,
  keys: readonly Key[],
): Promise<StoredCheckpoint | undefined> {
  const manifest = await readManifest(store, folder);
  const bundles = keys.filter(({ kind }) => kind === "packed");
  const { id, commit: revision } = manifest ?? (await readOwner(store, bundles)) ?? {};
  if (id === undefined) return undefined;
  const { weights = [], neededBytes, complete = true } = manifest ?? {};
  const chunkBytes = bytesOf(keys, "chunk");
  const partBytes = bytesOf(keys, "part");
  const formats = new Set(bundles.flatMap(({ rest: [, , names = ""] }) => formatNames(names)));
  if (chunkBytes > 0 || partBytes === 0) {
    for (const { name, tag } of weights) {
      const header = await store.get(fileKey(folder, name, tag));
      for (const dtype of header ? dtypesOf(name, header) : []) formats.add(dtype);
    }
  }
  const storedBytes = chunkBytes + partBytes;
  const needed = neededBytes ?? sum(weights.map(({ bytes }) => bytes));
  const used = await store.get(usedKey(folder));
  return {
    ...{ id, folder, revision, storedAs: [...formats], storedBytes },
    // What was packed replaces what it was packed from.
    totalBytes: partBytes > 0 ? (complete ? storedBytes : needed + partBytes) : needed,
    lastUsed: used && new Date(Number(new TextDecoder().decode(used))),
  };
}

/** @returns whose packed weights these are; for a folder of which nothing else is stored */
async function readOwner(
  store: ByteStore,
  [bundle]: readonly Key[],
): Promise<{ readonly id?: string; readonly commit?: string } | undefined> {
  const { id, revision } = (bundle && parseIndex(await store.get(bundle.key))) ?? {};
  return { ...(id !== undefined && { id }), ...(revision !== undefined && { commit: revision }) };
}

function bytesOf(keys: readonly Key[], wanted: string): number {
  const ranges = keys.filter(({ kind }) => kind === wanted).map(({ rest }) => rest.at(-1) ?? "");
  return sum(ranges.map(chunkRange).map(({ begin, end }) => end - begin));
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
