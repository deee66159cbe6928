import { createHash, randomUUID } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import {
  copyFile,
  lstat,
  mkdir,
  open,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { ggufReader } from "../models/gguf/reader.ts";
import { lockFile } from "../platform/file-lock.ts";
import { freeDiskBytes } from "../platform/node-store.ts";
import { type WeightFile, openCache } from "../weights/cache.ts";
import { type ByteRange, fetchChunks } from "../weights/fetch-chunks.ts";
import { chooseFiles } from "../weights/gguf/choose-files.ts";
import { type Http, readWhole } from "../weights/http.ts";
import { type OnProgress, Rate } from "../weights/progress.ts";
import { INDEX, OPTIONAL, REQUIRED, SINGLE, TOKENIZERS } from "../weights/read-files.ts";
import { openRemote, readListing } from "../weights/remote.ts";
import { type GgufChoice, type Repository, type Source, fileUrl } from "../weights/source.ts";
import { checkRoom } from "../weights/storage-room.ts";
import { folderFiles } from "./folder-files.ts";

export type HubSource = Source & { readonly repository: Repository };

/** One commit of a repository on this machine, in the layout of the hub's Python client. */
export interface Snapshot {
  readonly folder: string;
  /** Every file that the repository may have is here, or is known not to exist. */
  readonly complete: boolean;
}

/**
 * Finds a repository that the Python client or an earlier run has downloaded.
 *
 * `@huggingface/hub` has a similar cache (`downloadFileToCacheDir`), but it neither resumes downloads
 * nor verifies hashes, reports no progress, and writes no `refs` and `.no_exist`.
 *
 * @param cache the folder of all repositories
 * @returns undefined unless all weights are there
 */
export async function findSnapshot(
  cache: string,
  { repository, gguf }: Pick<HubSource, "repository" | "gguf">,
): Promise<Snapshot | undefined> {
  const root = repositoryFolder(cache, repository);
  const commit = await commitOf(root, repository);
  if (!commit) return undefined;
  const folder = join(root, "snapshots", commit);
  // Which files of the repository are meant is known once they are here.
  if (gguf) return (await hasGguf(folder, gguf)) ? { folder, complete: true } : undefined;
  const there = (name: string) => exists(join(folder, name));
  const needed = [...REQUIRED, ...((await weightsOf(folder)) ?? [SINGLE])];
  const tokenizers = await Promise.all(TOKENIZERS.map((names) => every(names, there)));
  if (!(await every(needed, there)) || !tokenizers.includes(true)) return undefined;
  const known = async (name: string) =>
    (await there(name)) || exists(join(root, ".no_exist", commit, name));
  return { folder, complete: await every(OPTIONAL, known) };
}

/**
 * Completes a snapshot that lacks small files, without a request for weights. The Python client does not
 * note which files a repository does not have.
 *
 * @returns whether the snapshot is of the revision's newest commit, and complete now
 * @throws HttpError, InterruptedError, the signal's reason
 */
export async function completeSnapshot(
  cache: string,
  source: HubSource,
  http: Http,
): Promise<boolean> {
  const root = repositoryFolder(cache, source.repository);
  const commit = await commitOf(root, source.repository);
  const listing = await readListing({ source, http });
  if (!commit || listing?.commit !== commit) return false;
  for (const name of OPTIONAL) {
    const path = join(root, "snapshots", commit, name);
    if (await exists(path)) continue;
    if (!listing.files.has(name)) {
      await write(join(root, ".no_exist", commit, name), new Uint8Array());
      continue;
    }
    const { bytes } = await readWhole(http, fileUrl(source, name, commit));
    const blob = join(root, "blobs", gitHash(bytes));
    await write(blob, bytes);
    await link(blob, path);
  }
  return true;
}

/**
 * Downloads a checkpoint into the Python client's layout: blobs named by their hashes, and one folder
 * of links per commit. An interrupted download is resumed. A file gets its final name once its hash is
 * verified.
 *
 * @returns the folder; undefined if the server reveals no commit, so that nothing can be stored
 * @throws HttpError, InterruptedError, Error for a damaged file, the signal's reason
 */
export async function downloadSnapshot(
  cache: string,
  source: HubSource,
  http: Http,
  onDownload?: OnProgress,
): Promise<string | undefined> {
  const gguf = source.gguf && { ...ggufReader, choice: source.gguf };
  const { commit, files, weights } = await openRemote(source, http, openCache(undefined), gguf);
  if (!commit) return undefined;
  const { repository } = source;
  const root = repositoryFolder(cache, repository);
  const folder = join(root, "snapshots", commit);
  const blobOf = (tag: string) => join(root, "blobs", tag.replace(/[^\w-]/g, "_"));

  const keep = async (name: string, bytes: Uint8Array, tag = gitHash(bytes)) => {
    await write(blobOf(tag), bytes);
    await link(blobOf(tag), join(folder, name));
  };
  for (const [name, { tag, bytes }] of files) await keep(name, bytes, tag);
  for (const name of gguf ? [] : OPTIONAL) {
    if (!files.has(name)) await write(join(root, ".no_exist", commit, name), new Uint8Array());
  }

  const totalBytes = weights.reduce((sum, { file }) => sum + file.bytes, 0);
  const sizes = await Promise.all(weights.map(({ file }) => missingBytes(blobOf(file.tag), file)));
  checkRoom(
    source.id,
    sizes.reduce((sum, bytes) => sum + bytes, 0),
    await freeDiskBytes(cache),
    `\`webvlm list\` shows what is in ${cache}, and \`webvlm rm\` deletes it; HF_HOME names another disk`,
  );
  let doneBytes = 0;
  const rate = new Rate();
  const report = (bytes: number) => {
    const loadedBytes = doneBytes + bytes;
    const done = { loadedBytes, totalBytes, networkBytes: loadedBytes };
    onDownload?.({ stage: "weights", ...done, ...rate.add(loadedBytes, totalBytes) });
  };
  for (const { file } of weights) {
    const blob = blobOf(file.tag);
    if ((await sizeOf(blob)) !== file.bytes) {
      const lock = join(cache, ".locks", basename(root), `${basename(blob)}.lock`);
      const unlock = await lockFile(lock, http);
      try {
        // Another process may have stored it meanwhile.
        if ((await sizeOf(blob)) !== file.bytes) {
          await downloadBlob(http, fileUrl(source, file.name, commit), blob, file, report);
        }
      } finally {
        unlock();
      }
    }
    doneBytes += file.bytes;
    await link(blob, join(folder, file.name));
  }
  if (!gguf && !weights.some(({ file }) => file.name === SINGLE)) {
    const { bytes } = await readWhole(http, fileUrl(source, INDEX, commit));
    await keep(INDEX, bytes);
  }
  const { revision } = repository;
  if (revision !== commit) await write(join(root, "refs", revision), Buffer.from(commit));
  return folder;
}

/** @returns whether a snapshot has the GGUF files that are meant, with their mmproj file */
async function hasGguf(folder: string, choice: GgufChoice): Promise<boolean> {
  try {
    const { listing } = await folderFiles(folder);
    return chooseFiles(folder, choice, [...(listing?.files.keys() ?? [])]).length > 0;
  } catch {
    return false;
  }
}

/** @returns the bytes of a file that are neither in its blob nor in what an earlier run has begun */
async function missingBytes(blob: string, { bytes }: WeightFile): Promise<number> {
  if ((await sizeOf(blob)) === bytes) return 0;
  return Math.max(0, bytes - ((await sizeOf(`${blob}.incomplete`)) ?? 0));
}

/** Bytes of a request. An interrupted download loses as much per connection. */
const CHUNK_BYTES = 8 << 20;

/**
 * Downloads the rest of a file that an earlier run has begun, and verifies all of it. If its hash is
 * wrong, the chunks that the server sends differently now are replaced, once.
 */
async function downloadBlob(
  http: Http,
  url: string,
  path: string,
  blob: WeightFile,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const partial = `${path}.incomplete`;
  await mkdir(dirname(path), { recursive: true });
  // Never truncated: without the lock, another process may be writing the same bytes.
  const file = await open(partial, constants.O_RDWR | constants.O_CREAT);
  try {
    const { size } = await file.stat();
    if (size > blob.bytes) await file.truncate(blob.bytes);
    const begin = Math.min(size, blob.bytes);
    const fetched = fetchBytes(http, url, blob, begin);
    let position = begin;
    onBytes(position);
    for await (const bytes of fetched) {
      await file.write(bytes, 0, bytes.length, position);
      position += bytes.length;
      onBytes(position);
    }
    const { sha256 } = blob;
    let actual = sha256 && (await hashOf(partial));
    if (actual !== sha256) {
      position = 0;
      for await (const bytes of fetchBytes(http, url, blob, 0)) {
        const kept = Buffer.alloc(bytes.length);
        await file.read(kept, 0, bytes.length, position);
        if (!kept.equals(bytes)) {
          await file.write(bytes, 0, bytes.length, position);
          actual = await hashOf(partial);
          if (actual === sha256) break;
        }
        position += bytes.length;
      }
    }
    if (actual !== sha256) {
      await rm(partial, { force: true });
      throw new Error(
        `${blob.name} arrived damaged twice: its SHA-256 is ${actual}, expected ${sha256}; ` +
          `it was deleted, so start again to download it again`,
      );
    }
  } finally {
    await file.close();
  }
  await rename(partial, path).catch(async (error: unknown) => {
    // Without the lock, another process may have been first.
    if ((await sizeOf(path)) !== blob.bytes) throw error;
  });
}

/** Downloads the bytes of a file from `begin` on, in order, over several connections. */
function fetchBytes(http: Http, url: string, { bytes, ranges }: WeightFile, begin: number) {
  const chunks: ByteRange[] = [];
  for (let from = begin; from < bytes; from += CHUNK_BYTES) {
    chunks.push({ begin: from, end: Math.min(from + CHUNK_BYTES, bytes) });
  }
  return fetchChunks(
    { http, url, bytes, ranges, connections: 4 },
    chunks,
    async (chunk, read, signal) => {
      const target = new Uint8Array(chunk.end - chunk.begin);
      await read(chunk, target, signal);
      return target;
    },
  );
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const bytes of createReadStream(path)) hash.update(bytes as Buffer);
  return hash.digest("hex");
}

function repositoryFolder(cache: string, { name }: Repository): string {
  return join(cache, `models--${name.replaceAll("/", "--")}`);
}

async function commitOf(root: string, { revision }: Repository): Promise<string | undefined> {
  if (/^[0-9a-f]{40}$/.test(revision)) return revision;
  try {
    return (await readFile(join(root, "refs", revision), "utf8")).trim() || undefined;
  } catch {
    return undefined;
  }
}

/** @returns the files that a snapshot's index names; undefined without an index */
async function weightsOf(folder: string): Promise<string[] | undefined> {
  if (await exists(join(folder, SINGLE))) return undefined;
  try {
    const index = JSON.parse(await readFile(join(folder, INDEX), "utf8")) as {
      weight_map: Record<string, string>;
    };
    return [INDEX, ...new Set(Object.values(index.weight_map))];
  } catch {
    return undefined;
  }
}

/** @returns the hash that git, and so the hub, computes of a file */
function gitHash(bytes: Uint8Array): string {
  return createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}

/** Writes a file completely or not at all. */
async function write(path: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const partial = `${path}.${randomUUID()}~`;
  await writeFile(partial, bytes);
  await rename(partial, path);
}

/** Gives a blob a file name, by a relative link as the Python client does, or else by a copy. */
async function link(blob: string, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  if (await exists(path)) return;
  // A link whose target is gone.
  const broken = (await lstat(path).catch(() => undefined)) && !(await exists(path));
  if (broken) await rm(path, { force: true });
  const target = relative(dirname(path), blob);
  await symlink(target, path).catch(async (error: NodeJS.ErrnoException) => {
    // Another process was first, or Windows allows no links.
    if (error.code !== "EEXIST") await copyFile(blob, path);
  });
}

async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ size }) => size,
    () => undefined,
  );
}

async function exists(path: string): Promise<boolean> {
  return (await sizeOf(path)) !== undefined;
}

async function every(
  names: readonly string[],
  test: (name: string) => Promise<boolean>,
): Promise<boolean> {
  return (await Promise.all(names.map(test))).every(Boolean);
}
