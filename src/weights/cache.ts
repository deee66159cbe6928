import type { ByteStore } from "../platform/platform.ts";

/** Name of the store that keeps weights between visits. */
export const STORE = "webvlm";

/** A file of weights as it was when the checkpoint was opened. */
export interface WeightFile {
  readonly name: string;
  /** Tells this content of the file from any other: its hash, or the server's ETag. */
  readonly tag: string;
  readonly bytes: number;
  /** In hexadecimal, where the hub tells it. */
  readonly sha256?: string | undefined;
}

/** What was read from a folder, so that it can be read again without asking its server. */
export interface Manifest {
  readonly version: 1;
  readonly id: string;
  readonly folder: string;
  /** The hub's commit. */
  readonly commit?: string | undefined;
  /** Tags of the small files, by name. */
  readonly files: Readonly<Record<string, string>>;
  readonly weights: readonly WeightFile[];
  /** All weights were stored, and had the right hash. */
  readonly complete: boolean;
}

/** A store that never fails: what it can't keep is not there. */
export interface WeightCache extends ByteStore {
  /** False once something could not be kept. */
  readonly works: boolean;
}

/** Wraps a store. A full one is told on the console, once; loading goes on without it. */
export function openCache(store: ByteStore | undefined): WeightCache {
  let works = store !== undefined;
  const attempt = async <T>(work: Promise<T> | undefined, otherwise: T): Promise<T> => {
    try {
      return (await work) ?? otherwise;
    } catch (error) {
      if (works) console.warn("weights are not cached any further:", error);
      works = false;
      return otherwise;
    }
  };
  return {
    get works() {
      return works;
    },
    get: (key) => attempt(store?.get(key), undefined),
    set: (key, bytes) => attempt(works ? store?.set(key, bytes) : undefined, undefined),
    delete: (keys) => attempt(keys.length > 0 ? store?.delete(keys) : undefined, undefined),
    keys: () => attempt(store?.keys(), []),
  };
}

/** Keys have no spaces but between their parts; `file` ends in the file's own URL. */
const part = encodeURIComponent;
const manifestKey = (folder: string) => `manifest ${folder}`;

/** The key of a small file, or of the header of a file of weights. */
export function fileKey(folder: string, name: string, tag: string): string {
  return `file ${folder} ${part(name)} ${part(tag)}`;
}

/** The key of the bytes `begin ..< end` of a file of weights. */
export function chunkKey(
  folder: string,
  { name, tag }: WeightFile,
  begin: number,
  end: number,
): string {
  return `chunk ${folder} ${part(name)} ${part(tag)} ${begin}-${end}`;
}

/** @returns undefined when the folder was never read, or what is there makes no sense */
export async function readManifest(
  store: ByteStore,
  folder: string,
): Promise<Manifest | undefined> {
  const bytes = await store.get(manifestKey(folder));
  if (!bytes) return undefined;
  try {
    const manifest = JSON.parse(new TextDecoder().decode(bytes)) as Manifest;
    return manifest.version === 1 ? manifest : undefined;
  } catch {
    return undefined;
  }
}

export async function writeManifest(store: ByteStore, manifest: Manifest): Promise<void> {
  await store.set(
    manifestKey(manifest.folder),
    new TextEncoder().encode(JSON.stringify(manifest)) as Uint8Array<ArrayBuffer>,
  );
}

/** Deletes what is kept of a folder but does not belong to the manifest's files as they are. */
export async function dropStale(store: ByteStore, manifest: Manifest): Promise<void> {
  const { folder, files, weights } = manifest;
  const current = new Set(Object.entries(files).map(([name, tag]) => `${part(name)} ${part(tag)}`));
  for (const { name, tag } of weights) current.add(`${part(name)} ${part(tag)}`);
  const stale = (await store.keys()).filter((key) => {
    const [kind, of, name, tag] = key.split(" ");
    return kind !== "manifest" && of === folder && !current.has(`${name} ${tag}`);
  });
  await store.delete(stale);
}

/** Deletes a file's chunks, and makes the next load ask the server. */
export async function dropWeights(
  store: ByteStore,
  folder: string,
  { name }: WeightFile,
): Promise<void> {
  const keys = await store.keys();
  const own = (key: string) => key.startsWith(`chunk ${folder} ${part(name)} `);
  await store.delete([manifestKey(folder), ...keys.filter(own)]);
}

export interface CachedCheckpoint {
  readonly id: string;
  readonly folder: string;
  /** Bytes of weights that are kept, and that there are. */
  readonly storedBytes: number;
  readonly totalBytes: number;
}

/** @returns the checkpoints of which something is kept */
export async function listCached(store: ByteStore): Promise<CachedCheckpoint[]> {
  const keys = (await store.keys()).map((key) => key.split(" "));
  const folders = keys
    .filter(([kind]) => kind === "manifest")
    .map(([, folder]) => folder as string);
  const manifests = await Promise.all(folders.map((folder) => readManifest(store, folder)));
  return manifests
    .filter((manifest) => manifest !== undefined)
    .map(({ id, folder, weights }) => {
      const chunks = keys.filter(([kind, of]) => kind === "chunk" && of === folder);
      const sizes = chunks.map(([, , , , range = "0-0"]) => {
        const [begin, end] = range.split("-");
        return Number(end) - Number(begin);
      });
      return { id, folder, storedBytes: sum(sizes), totalBytes: sum(weights.map((w) => w.bytes)) };
    });
}

/** Deletes all that is kept of the checkpoints called `id`. */
export async function deleteCached(store: ByteStore, id: string): Promise<void> {
  const listed = (await listCached(store)).filter((checkpoint) => checkpoint.id === id);
  const folders = new Set(listed.map(({ folder }) => folder));
  const keys = await store.keys();
  await store.delete(keys.filter((key) => folders.has(key.split(" ")[1] as string)));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
