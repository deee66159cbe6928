import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { type WeightCache, type WeightFile, chunkKey, dropWeights } from "./cache.ts";
import { type Http, download } from "./http.ts";
import { InterruptedError } from "./retry.ts";

/** Consecutive bytes of a weight file. Pieces arrive in order. */
export interface Piece {
  readonly file: string;
  /** Position of the first byte in the file. */
  readonly begin: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Whether the bytes came over the network. */
  readonly network: boolean;
}

export interface ReadOptions {
  readonly http: Http;
  readonly cache: WeightCache;
  readonly folder: string;
  readonly url: string;
  readonly chunkBytes: number;
  /** The keys that the cache has. */
  readonly stored: ReadonlySet<string>;
  /** Compares the file's hash with the hub's, if the hub gives one. */
  readonly verify: boolean;
  /** Throws when a response is of another version of the file. */
  readonly check: (response: Response) => void;
}

/** A file changed on the server after the checkpoint was opened, or arrived damaged. */
export class ChangedError extends Error {
  override name = "ChangedError";
}

interface Chunk {
  readonly key: string;
  readonly begin: number;
  readonly end: number;
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
 * Reads a file chunk by chunk: from the cache, or by one request for each run of missing chunks. A
 * chunk is stored before the next one is passed on, so that memory never holds more than a few.
 *
 * @throws ChangedError when the file changed or its hash is wrong; its chunks are deleted then
 * @throws InterruptedError when the network fails; HttpError; the signal's reason
 */
export async function* readWeightFile(
  file: WeightFile,
  options: ReadOptions,
): AsyncGenerator<Piece, void, void> {
  const { cache, folder } = options;
  const hash = options.verify && file.sha256 ? sha256.create() : undefined;
  try {
    for await (const piece of readPieces(file, options)) {
      hash?.update(piece.bytes);
      yield piece;
    }
    const actual = hash && bytesToHex(hash.digest());
    if (actual !== undefined && actual !== file.sha256) {
      throw new ChangedError(
        `${file.name} arrived damaged: its SHA-256 is ${actual}, the hub's is ${file.sha256}. ` +
          `The file was deleted from the store: load again to fetch it`,
      );
    }
  } catch (error) {
    if (error instanceof ChangedError) await dropWeights(cache, folder, file);
    if (!(error instanceof InterruptedError)) throw error;
    const next = cache.works ? "what arrived is kept: load again to continue" : "load again";
    throw new InterruptedError(`${error.message}; ${next}`, { cause: error });
  }
}

async function* readPieces(
  file: WeightFile,
  options: ReadOptions,
): AsyncGenerator<Piece, void, void> {
  const { cache, folder, stored, http } = options;
  const chunks = chunksOf(folder, file, options.chunkBytes);
  const read = (chunk: Chunk | undefined) =>
    chunk && stored.has(chunk.key) ? cache.get(chunk.key) : undefined;
  // The next chunk is read while this one is processed.
  let ahead = read(chunks[0]);
  for (let i = 0; i < chunks.length;) {
    http.signal?.throwIfAborted();
    const chunk = chunks[i] as Chunk;
    const bytes = await ahead;
    if (bytes?.length === chunk.end - chunk.begin) {
      ahead = read(chunks[++i]);
      yield { file: file.name, begin: chunk.begin, bytes, network: false };
    } else {
      let last = i + 1;
      while (last < chunks.length && !stored.has((chunks[last] as Chunk).key)) last++;
      yield* fetchPieces(file, chunks.slice(i, last), options);
      i = last;
      ahead = read(chunks[i]);
    }
  }
}

/** Fetches consecutive chunks. */
async function* fetchPieces(
  file: WeightFile,
  chunks: readonly Chunk[],
  { http, cache, url, check }: ReadOptions,
): AsyncGenerator<Piece, void, void> {
  const { begin } = chunks[0] as Chunk;
  const { end } = chunks.at(-1) as Chunk;
  let bytes = new Uint8Array();
  let filled = 0;
  let next = 0;
  let kept = Promise.resolve();
  try {
    for await (let rest of download(http, url, begin, end, check)) {
      while (rest.length > 0) {
        const chunk = chunks[next] as Chunk;
        if (filled === 0) bytes = new Uint8Array(chunk.end - chunk.begin);
        const taken = rest.subarray(0, bytes.length - filled);
        bytes.set(taken, filled);
        filled += taken.length;
        rest = rest.subarray(taken.length);
        if (filled < bytes.length) continue;
        await kept;
        kept = cache.set(chunk.key, bytes);
        yield { file: file.name, begin: chunk.begin, bytes, network: true };
        http.signal?.throwIfAborted();
        filled = 0;
        next++;
      }
    }
  } finally {
    // Whole chunks are stored even when the request fails.
    await kept;
  }
}
