import type { Hash, SharedFile } from "../platform/platform.ts";
import { withAdvice } from "./advice.ts";
import {
  type Manifest,
  type WeightCache,
  type WeightFile,
  readManifest,
  writeManifest,
} from "./cache.ts";
import type { ByteRange } from "./fetch-chunks.ts";
import type { Http } from "./http.ts";
import { fileTag } from "./remote.ts";
import { HttpError, type RetryOptions } from "./retry.ts";
import { type Source, fileUrl } from "./source.ts";
import { checkRoom } from "./storage-room.ts";
import { ChangedError, type Chunk, type Piece, chunksOf, readWeightFile } from "./weight-file.ts";

/** How files are requested from their server. */
export interface NetworkOptions extends Partial<Omit<RetryOptions, "onWait">> {
  readonly fetch?: typeof globalThis.fetch;
  /** Access token. It is sent to hubs only. */
  readonly token?: string | undefined;
  /** A connection that delivers nothing for this long counts as dead. Default 60 s. */
  readonly stallMs?: number;
  /** Size of the chunks that are requested, stored and passed on. Default 8 MiB. */
  readonly chunkBytes?: number;
  /** Requests at a time for the chunks of a file. Default 4. */
  readonly connections?: number;
  /** Computes hashes of whole files. Files from a hub need it. */
  readonly hash?: ((share?: SharedFile) => Hash) | undefined;
  /** Finds a file that another site has stored, by its SHA-256. It is read instead of downloaded. */
  readonly findShared?: ((sha256: string) => Promise<Blob | undefined>) | undefined;
}

export interface StreamWeightsOptions extends Pick<RetryOptions, "signal" | "onWait"> {
  /** The bytes that are needed of each file. Others may be left out. Default: all. */
  readonly wanted?: readonly (ByteRange & { readonly file: string })[] | undefined;
  /** Called when the disk has too little room for what is missing. It may delete what is not used. */
  readonly makeRoom?: (() => Promise<void> | undefined) | undefined;
}

const ADVICE =
  "delete models that are no longer needed, or load with `cache: false`, which stores nothing";

/** Chunks that nothing needs are read too if they are a smaller part of a file, for its hash. */
const WORTH_SKIPPING = 1 / 16;

/**
 * Reads the weights of a checkpoint that was opened. While it downloads, other tabs and processes that
 * want the same weights wait, and use what it has stored.
 *
 * @throws as `Checkpoint.stream` does
 */
export async function* streamWeights(
  source: Source,
  opened: Manifest,
  cache: WeightCache,
  options: NetworkOptions & StreamWeightsOptions,
): AsyncGenerator<Piece, void, void> {
  const { folder, commit, weights } = opened;
  const { chunkBytes = 8 << 20, connections = 4, hash, wanted, makeRoom } = options;
  const http = httpOf(source, options);
  const files = weights.map((file) => {
    const all = chunksOf(folder, file, chunkBytes);
    return { file, all, needed: wanted ? neededChunks(file, all, wanted) : all };
  });
  const look = async () => {
    const stored = new Set(await cache.keys());
    const isWhole = files.every(({ needed }) => needed.every(({ key }) => stored.has(key)));
    return { stored, whole: isWhole };
  };
  let { stored, whole } = await look();
  let manifest = opened;
  let unlock: (() => void) | undefined;
  const isIdle = files.every(({ needed }) => needed.length === 0);
  if (!whole || (!manifest.complete && !isIdle)) {
    unlock = await cache.lock?.(folder, options);
    // Another tab may have stored the rest, and verified it.
    ({ stored, whole } = await look());
    const newer = await readManifest(cache, folder);
    if (JSON.stringify(newer?.weights) === JSON.stringify(weights)) manifest = newer as Manifest;
  }
  try {
    const complete = manifest.complete && whole;
    // What was verified once need not be read whole again.
    const parts = files.map(({ file, all, needed }) => {
      return { file, all, chunks: complete ? needed : worthReading(file, all, needed) };
    });
    const missing = parts.flatMap(({ chunks }) => chunks.filter(({ key }) => !stored.has(key)));
    // Without this check, a download would fill the disk and be stored in part, for nothing.
    if (missing.length > 0) {
      const bytes = bytesOf(missing);
      if (bytes > ((await cache.freeBytes?.()) ?? Infinity)) await makeRoom?.();
      checkRoom(source.id, bytes, await cache.freeBytes?.(), ADVICE);
    }
    // Cleared until everything is stored again, so that the next load verifies it.
    if (manifest.complete && !complete)
      await writeManifest(cache, { ...manifest, complete: false });
    let isNew = false;
    const findFile = async ({ sha256, bytes }: WeightFile, chunks: readonly Chunk[]) => {
      if (!cache.works || !sha256 || chunks.every(({ key }) => stored.has(key))) return undefined;
      const shared = await options.findShared?.(sha256);
      return shared?.size === bytes ? shared : undefined;
    };
    for (const { file, all, chunks } of parts) {
      const check = (response: Response) => {
        // The files of a commit never change. The servers that a hub redirects to have other tags.
        if (commit || fileTag(source, response.headers, response.redirected).tag === file.tag)
          return;
        throw new ChangedError(
          `${file.name} changed on the server: load again to get the new version`,
        );
      };
      const url = fileUrl(source, file.name, commit);
      const verify = !complete && chunks.length === all.length;
      if (verify && file.sha256 && !hash) throw new Error("streamWeights: options.hash is missing");
      yield* readWeightFile(file, chunks, {
        ...{ http, cache, folder, url, connections, stored, check },
        hash: verify ? hash : undefined,
        shared: await findFile(file, chunks),
        everyone: !http.token,
        onNewChunk: () => (isNew = true),
      });
    }
    if (!cache.works || (complete && !isNew)) return;
    // A new chunk in a complete store is verified by the next load.
    // Fewer where the rest is stored as it lies on the GPU.
    const ownBytes = bytesOf(parts.flatMap(({ chunks }) => chunks));
    const neededBytes = Math.max(ownBytes, manifest.neededBytes ?? 0);
    await writeManifest(cache, { ...manifest, neededBytes, complete: !complete });
  } catch (error) {
    throw error instanceof HttpError ? withAdvice(source, error) : error;
  } finally {
    unlock?.();
  }
}

/** @returns the chunks with bytes that are wanted */
export function neededChunks(
  file: WeightFile,
  all: readonly Chunk[],
  wanted: NonNullable<StreamWeightsOptions["wanted"]>,
): readonly Chunk[] {
  const own = wanted.filter((range) => range.file === file.name);
  return all.filter((chunk) => own.some((w) => w.begin < chunk.end && chunk.begin < w.end));
}

/** @returns the chunks that are needed, or all of them if that saves little */
function worthReading(
  file: WeightFile,
  all: readonly Chunk[],
  needed: readonly Chunk[],
): readonly Chunk[] {
  const skipped = file.bytes - bytesOf(needed);
  return skipped >= file.bytes * WORTH_SKIPPING ? needed : all;
}

export function httpOf(
  source: Source,
  options: NetworkOptions & Pick<RetryOptions, "onWait">,
): Http {
  return {
    fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    token: source.repository && options.token,
    signal: options.signal,
    retries: options.retries ?? 10,
    retryDelayMs: options.retryDelayMs ?? 500,
    sleep: options.sleep,
    onWait: options.onWait,
    stallMs: options.stallMs ?? 60_000,
  };
}

function bytesOf(chunks: readonly Chunk[]): number {
  return chunks.reduce((sum, { begin, end }) => sum + end - begin, 0);
}
