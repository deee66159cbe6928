import type { Hash, SharedFile } from "../platform/platform.ts";
import { type WeightCache, type WeightFile, chunkKey, dropWeights } from "./cache.ts";
import { type FetchOptions, type ByteRange, type ReadInto, fetchChunks } from "./fetch-chunks.ts";
import { InterruptedError } from "./retry.ts";
import { SEAL_BYTES, seal, unseal } from "./seal.ts";

/**
 * Consecutive bytes of a weight file. Pieces arrive in order. When a file arrived damaged and was
 * mended, its pieces come again from the first one on.
 */
export interface Piece {
  readonly file: string;
  /** Position of the first byte in the file. */
  readonly begin: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Whether the bytes came over the network. */
  readonly network: boolean;
}

export interface ReadOptions extends Pick<FetchOptions, "http" | "url" | "connections" | "check"> {
  readonly cache: WeightCache;
  readonly folder: string;
  /** The keys that the cache has. */
  readonly stored: ReadonlySet<string>;
  /** Computes the hash of all chunks, to compare it with the hub's. Undefined where that is not wanted. */
  readonly hash: ((share?: SharedFile) => Hash) | undefined;
  /** The whole file, if another site has stored it. */
  readonly shared?: Blob | undefined;
  /** Whether any site may have the file, if this one is the first. */
  readonly everyone?: boolean | undefined;
  /** Called when a chunk was fetched, unless it has the hash that the cache has of it. */
  readonly onNewChunk?: () => void;
}

/** A file changed on the server after the checkpoint was opened, or arrived damaged. */
export class ChangedError extends Error {
  override name = "ChangedError";
}

export interface Chunk extends ByteRange {
  readonly key: string;
}

/** Cuts a file into the chunks in which it is stored and passed on. */
export function chunksOf(folder: string, file: WeightFile, chunkBytes: number): Chunk[] {
  const chunks: Chunk[] = [];
  for (let begin = 0; begin < file.bytes; begin += chunkBytes) {
    const end = Math.min(begin + chunkBytes, file.bytes);
    chunks.push({ key: chunkKey(folder, file, begin, end), begin, end });
  }
  return chunks;
}

/**
 * Reads chunks of a file from the cache, or else from the server, several at a time. Each is stored,
 * with its hash, before it is passed on. One that is damaged in the cache is fetched again. If the hash
 * of the whole file is wrong, the chunks that the server sends differently now are replaced, and all
 * are passed on again.
 *
 * @throws ChangedError when the file changed, or its hash is still wrong; its chunks are deleted then
 * @throws InterruptedError when the network fails; HttpError; the signal's reason
 */
export async function* readWeightFile(
  file: WeightFile,
  chunks: readonly Chunk[],
  options: ReadOptions,
): AsyncGenerator<Piece, void, void> {
  const { cache, folder } = options;
  try {
    let actual = yield* readHashed(file, chunks, options);
    if (actual === file.sha256) return;
    if (!cache.works || (await mend(file, chunks, options))) {
      const stored = new Set(await cache.keys());
      actual = yield* readHashed(file, chunks, { ...options, stored });
    }
    if (actual === file.sha256) return;
    throw new ChangedError(
      `${file.name} arrived damaged twice: its SHA-256 is ${actual}, the hub's is ${file.sha256}. ` +
        `The file was deleted from the store: load again to fetch it`,
    );
  } catch (error) {
    if (error instanceof ChangedError) await dropWeights(cache, folder, file);
    if (!(error instanceof InterruptedError)) throw error;
    const next = cache.works ? "what arrived is kept: load again to continue" : "load again";
    throw new InterruptedError(`${error.message}; ${next}`, { cause: error });
  }
}

/** @returns the SHA-256 of all pieces; the file's own if it is not to be compared */
async function* readHashed(
  file: WeightFile,
  chunks: readonly Chunk[],
  options: ReadOptions,
): AsyncGenerator<Piece, string | undefined, void> {
  const { cache, shared, everyone = false } = options;
  const share =
    file.sha256 && cache.works && !shared ? { sha256: file.sha256, everyone } : undefined;
  const hash = file.sha256 && options.hash?.(share);
  const read = (chunk: Chunk, fetch: ReadInto, signal: AbortSignal) =>
    readChunk(file, chunk, options, fetch, signal);
  for await (const piece of fetchChunks(fetchOptions(file, options), chunks, read)) {
    if (hash) await hash.update(piece.bytes);
    yield piece;
  }
  return hash ? hash.digest() : file.sha256;
}

function fetchOptions({ bytes, ranges }: WeightFile, options: ReadOptions): FetchOptions {
  return { ...options, bytes, ranges };
}

async function readChunk(
  file: WeightFile,
  chunk: Chunk,
  { cache, stored, shared, onNewChunk }: ReadOptions,
  fetch: ReadInto,
  signal: AbortSignal,
): Promise<Piece> {
  const { key, begin, end } = chunk;
  const sealed = stored.has(key) ? await cache.get(key) : undefined;
  const kept = sealed?.length === end - begin + SEAL_BYTES ? await unseal(sealed) : undefined;
  if (kept) return { file: file.name, begin, bytes: kept, network: false };
  let network = true;
  const read: ReadInto = async (range, target, signal) => {
    // Undefined when the browser has deleted it meanwhile.
    const own = await shared
      ?.slice(begin, end)
      .arrayBuffer()
      .catch(() => undefined);
    network = own === undefined;
    if (own) target.set(new Uint8Array(own));
    else await fetch(range, target, signal);
  };
  const bytes = await fetchSealed(chunk, read, signal);
  await cache.set(key, bytes);
  if (!sameSeal(sealed, bytes)) onNewChunk?.();
  return { file: file.name, begin, bytes: bytes.subarray(0, -SEAL_BYTES), network };
}

async function fetchSealed(
  { begin, end }: Chunk,
  fetch: ReadInto,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(end - begin + SEAL_BYTES);
  await fetch({ begin, end }, bytes, signal);
  await seal(bytes);
  return bytes;
}

/**
 * Fetches a stored file again, chunk by chunk, and replaces what differs, until its hash is right.
 *
 * @returns false when nothing has helped
 */
async function mend(
  file: WeightFile,
  chunks: readonly Chunk[],
  options: ReadOptions,
): Promise<boolean> {
  const { cache, hash } = options;
  if (!hash) return false;
  const fetchOne = async (chunk: Chunk, fetch: ReadInto, signal: AbortSignal) => {
    return { chunk, bytes: await fetchSealed(chunk, fetch, signal) };
  };
  for await (const { chunk, bytes } of fetchChunks(fetchOptions(file, options), chunks, fetchOne)) {
    const kept = await cache.get(chunk.key);
    if (sameSeal(kept, bytes)) continue;
    await cache.set(chunk.key, bytes);
    const whole = hash();
    for (const { key } of chunks) {
      const sealed = await cache.get(key);
      await whole.update(sealed?.subarray(0, -SEAL_BYTES) ?? new Uint8Array());
    }
    if ((await whole.digest()) === file.sha256) return true;
  }
  return false;
}

function sameSeal(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return b.subarray(-SEAL_BYTES).every((byte, i) => byte === a?.at(i - SEAL_BYTES));
}
