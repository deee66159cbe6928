import { open, readFile, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { headerBytes, parseHeader } from "../weights/safetensors.ts";
import type { StoredCheckpoint } from "../weights/stored-checkpoints.ts";

/** Begins the name of a model's folder in the cache of the hub's Python client. */
const PREFIX = "models--";

/**
 * Lists the models in the cache of the hub's Python client, whoever has downloaded them. A model of
 * several revisions has a line for each; they share the bytes of files that are the same.
 */
export async function listHubModels(cache: string): Promise<StoredCheckpoint[]> {
  const names = (await readdir(cache).catch(() => [])).filter((name) => name.startsWith(PREFIX));
  const found = await Promise.all(names.map((name) => describeRepository(join(cache, name), name)));
  return found.flat().sort((a, b) => (b.lastUsed?.getTime() ?? 0) - (a.lastUsed?.getTime() ?? 0));
}

async function describeRepository(root: string, name: string): Promise<StoredCheckpoint[]> {
  const id = name.slice(PREFIX.length).replaceAll("--", "/");
  const commits = await readdir(join(root, "snapshots")).catch(() => []);
  const partial = await partialBytes(join(root, "blobs"));
  const found = await Promise.all(
    commits.map((revision) => describeSnapshot(id, join(root, "snapshots", revision), revision)),
  );
  // A download that was interrupted belongs to the revision that lacks weights, or to none yet.
  const [first, ...rest] = found;
  const none = { id, folder: root, revision: undefined, storedAs: [], lastUsed: undefined };
  const base = first ?? { ...none, storedBytes: 0, totalBytes: 0 };
  const storedBytes = base.storedBytes + partial;
  return [{ ...base, storedBytes, totalBytes: Math.max(base.totalBytes, storedBytes) }, ...rest];
}

async function describeSnapshot(
  id: string,
  folder: string,
  revision: string,
): Promise<StoredCheckpoint> {
  const names = await readdir(folder, { recursive: true });
  let storedBytes = 0;
  let used = 0;
  const formats = new Set<string>();
  for (const name of names) {
    // Undefined for a link whose target is gone.
    const stats = await stat(join(folder, name)).catch(() => undefined);
    if (!stats?.isFile()) continue;
    storedBytes += stats.size;
    used = Math.max(used, stats.atimeMs, stats.mtimeMs);
    for (const format of await formatsOf(join(folder, name))) formats.add(format);
  }
  return {
    ...{ id, folder, revision, storedAs: [...formats], storedBytes },
    totalBytes: storedBytes,
    lastUsed: new Date(used),
  };
}

/** @returns the data types of a weight file; nothing for another file */
async function formatsOf(path: string): Promise<readonly string[]> {
  if (path.endsWith(".gguf")) return ["GGUF"];
  if (!path.endsWith(".safetensors")) return [];
  const file = await open(path);
  try {
    const length = new Uint8Array(8);
    await file.read(length, 0, 8, 0);
    const header = new Uint8Array(headerBytes(path, length));
    await file.read(header, 0, header.length, 0);
    return [...parseHeader(path, header).tensors.values()].map(({ dtype }) => dtype);
  } catch {
    return []; // Damaged.
  } finally {
    await file.close();
  }
}

async function partialBytes(blobs: string): Promise<number> {
  const names = (await readdir(blobs).catch(() => [])).filter((name) => /\.incomplete$/.test(name));
  const sizes = names.map((name) => stat(join(blobs, name)).then(({ size }) => size));
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** Deletes all revisions of a model from the cache of the hub's Python client. */
export async function deleteHubModel(cache: string, id: string): Promise<void> {
  const folder = PREFIX + id.replaceAll("/", "--");
  await rm(join(cache, folder), { recursive: true, force: true });
  await rm(join(cache, ".locks", folder), { recursive: true, force: true });
}

/** @returns the branches and tags that lead to each commit of a model */
export async function revisionNames(cache: string, id: string): Promise<Map<string, string[]>> {
  const refs = join(cache, PREFIX + id.replaceAll("/", "--"), "refs");
  const names = new Map<string, string[]>();
  const found = await readdir(refs, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of found.filter((entry) => entry.isFile())) {
    const path = join(entry.parentPath, entry.name);
    const commit = (await readFile(path, "utf8")).trim();
    names.set(commit, [...(names.get(commit) ?? []), path.slice(refs.length + 1)]);
  }
  return names;
}
