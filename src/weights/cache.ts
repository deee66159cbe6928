import type { ByteStore } from "../platform/platform.ts";
import type { ByteRange } from "./fetch-chunks.ts";

/** Name of the store that keeps checkpoints between visits. */
export const STORE = "webvlm";

/** A weight file, as it was when the checkpoint was opened. */
export interface WeightFile {
  readonly name: string;
  /** Identifies the content of the file: its hash, or the server's ETag. */
  readonly tag: string;
  readonly bytes: number;
  /** In hexadecimal, if the hub gives it. */
  readonly sha256?: string | undefined;
  /** Whether the server answers requests for ranges. */
  readonly ranges?: boolean | undefined;
}

/** Lists what was read from a folder, so that it can be read again without its server. */
export interface Manifest {
  /** 1 may lack small files that this version reads. */
  readonly version: 1 | 2;
  readonly id: string;
  readonly folder: string;
  /** The commit, if the folder is on a hub. */
  readonly commit?: string | undefined;
  /** Tags of the small files, by name. */
  readonly files: Readonly<Record<string, string>>;
  readonly weights: readonly WeightFile[];
  /** The file that counts, for tensors that several files have. */
  readonly owners?: Readonly<Record<string, string>> | undefined;
  /** Bytes of the chunks that the model needs, if they were read once. Default: all. */
  readonly neededBytes?: number | undefined;
  /** Whether all weights that the model needs are stored, and whole files had the right hash. */
  readonly complete: boolean;
}

/** A store that never throws. What it could not store is missing later. */
export interface WeightCache extends ByteStore {
  /** False after something could not be stored. */
  readonly works: boolean;
}

/** Wraps a store. When it fails, the console says so once, and loading continues without it. */
export function openCache(store: ByteStore | undefined): WeightCache {
  let works = store !== undefined;
  const attempt = async <T>(work: Promise<T> | undefined, otherwise: T): Promise<T> => {
    try {
      return (await work) ?? otherwise;
    } catch (error) {
      if (works) console.warn("webvlm: the store failed, so the rest is not cached:", error);
      works = false;
      return otherwise;
    }
  };
  return {
    ...(store?.freeBytes && { freeBytes: () => attempt(store.freeBytes?.(), undefined) }),
    get works() {
      return works;
    },
    get: (key) => attempt(store?.get(key), undefined),
    set: (key, bytes) => attempt(works ? store?.set(key, bytes) : undefined, undefined),
    delete: (keys) => attempt(keys.length > 0 ? store?.delete(keys) : undefined, undefined),
    keys: () => attempt(store?.keys(), []),
    lock: store?.lock,
  };
}

/** The parts of a key are encoded, so that spaces occur only between them. */
const encode = encodeURIComponent;
const manifestKey = (folder: string) => `manifest ${folder}`;

/** @returns the key of a small file, or of the header of a weight file */
export function fileKey(folder: string, name: string, tag: string): string {
  return `file ${folder} ${encode(name)} ${encode(tag)}`;
}

/** @returns the key of the bytes `begin ..< end` of a weight file */
export function chunkKey(
  folder: string,
  { name, tag }: WeightFile,
  begin: number,
  end: number,
): string {
  return `chunk ${folder} ${encode(name)} ${encode(tag)} ${begin}-${end}`;
}

/** @returns the key of the index of a bundle of packed tensors, and of the formats that it has */
export function bundleKey(folder: string, tag: string, bundle: string, formats: string): string {
  return `packed ${folder} ${tag} ${bundle} ${formats}`;
}

/** @returns the key of the bytes `begin ..< end` of a bundle */
export function partKey(
  folder: string,
  tag: string,
  bundle: string,
  { begin, end }: ByteRange,
): string {
  return `part ${folder} ${tag} ${bundle} ${begin}-${end}`;
}

/** @returns the range at the end of the key of a chunk, or of a part */
export function chunkRange(range: string): ByteRange {
  const [begin, end] = range.split("-");
  return { begin: Number(begin), end: Number(end) };
}

/**
 * @returns what identifies the version of a checkpoint's weight files that bundles are made of. Raising
 *   the number in front forgets the bundles that earlier versions of this code have stored.
 */
export function weightsTag(weights: readonly WeightFile[]): Promise<string> {
  const files = weights.map(({ name, tag, bytes }) => [name, tag, bytes]);
  return shortHash(new TextEncoder().encode(`1 ${JSON.stringify(files)}`));
}

/** @returns 16 hexadecimal digits */
export async function shortHash(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = new DataView(await crypto.subtle.digest("SHA-256", bytes));
  return hash.getBigUint64(0).toString(16).padStart(16, "0");
}

/** @returns the key of the time when a folder was last opened, in ms since 1970, as text */
export function usedKey(folder: string): string {
  return `used ${folder}`;
}

/** @returns undefined when the folder was never read, or its manifest is damaged */
export async function readManifest(
  store: ByteStore,
  folder: string,
): Promise<Manifest | undefined> {
  const bytes = await store.get(manifestKey(folder));
  if (!bytes) return undefined;
  try {
    const manifest = JSON.parse(new TextDecoder().decode(bytes)) as Manifest;
    return manifest.version === 1 || manifest.version === 2 ? manifest : undefined;
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

/** Deletes the entries of a folder that belong to other versions of the manifest's files. */
export async function dropStale(store: ByteStore, manifest: Manifest): Promise<void> {
  const { folder, files, weights } = manifest;
  const current = new Set(
    Object.entries(files).map(([name, tag]) => `${encode(name)} ${encode(tag)}`),
  );
  for (const { name, tag } of weights) current.add(`${encode(name)} ${encode(tag)}`);
  const packed = await weightsTag(weights);
  const stale = (await store.keys()).filter((key) => {
    const [kind, of, name, tag] = key.split(" ");
    if (of !== folder) return false;
    if (kind === "packed" || kind === "part") return name !== packed;
    return (kind === "file" || kind === "chunk") && !current.has(`${name} ${tag}`);
  });
  await store.delete(stale);
}

/** Deletes the chunks of a weight file and the folder's manifest, so that the next load asks the server. */
export async function dropWeights(
  store: ByteStore,
  folder: string,
  { name }: WeightFile,
): Promise<void> {
  const keys = await store.keys();
  const own = (key: string) => key.startsWith(`chunk ${folder} ${encode(name)} `);
  await store.delete([manifestKey(folder), ...keys.filter(own)]);
}
