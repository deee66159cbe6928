import type { ByteStore } from "../platform/platform.ts";
import { type Manifest, openCache } from "./cache.ts";
import {
  type Checkpoint,
  type OpenOptions,
  openGguf,
  parseCheckpoint,
  withPackedFormats,
} from "./checkpoint.ts";
import type { Folder } from "./folder.ts";
import { soleGguf } from "./gguf-names.ts";
import { inOrder } from "./in-order.ts";
import { type PackedStore, packedStore, streamPacked } from "./packed-store.ts";
import { NO_BYTES } from "./progress.ts";
import { type ReadFiles, readFiles } from "./read-files.ts";
import type { GgufChoice } from "./source.ts";
import { type StreamWeightsOptions, neededChunks } from "./stream-weights.ts";
import { ChangedError, type Chunk, type Piece, chunksOf } from "./weight-file.ts";

/** Bytes that are read at once. */
const CHUNK_BYTES = 8 << 20;

export interface OpenFolderOptions extends Pick<
  OpenOptions,
  "signal" | "onProgress" | "packedFormats" | "gguf"
> {
  /** Where its packed weights are stored, and whether its files stay. Default: nowhere. */
  readonly packed?:
    | ({ readonly store: ByteStore } & Pick<Manifest, "folder" | "commit"> &
        Partial<Pick<PackedStore, "keepsFiles">>)
    | undefined;
}

/**
 * Opens a checkpoint on the user's own disk. It is read in place.
 *
 * @param choice the GGUF file that is meant. Default: the one that the folder has, if it has no
 *   checkpoint in safetensors
 * @throws Error when a file is missing or not valid, or can't be read; the signal's reason
 */
export async function openFolder(
  files: Folder,
  options: OpenFolderOptions = {},
  choice: GgufChoice | undefined = soleGguf([...(files.listing?.files.keys() ?? [])]),
): Promise<Checkpoint> {
  const { signal: stop, onProgress } = options;
  stop?.throwIfAborted();
  onProgress?.({ ...NO_BYTES, stage: "files" });
  const gguf = await openGguf(choice, options);
  const { weights, owners, files: small } = await readFiles(files, gguf);
  stop?.throwIfAborted();
  const read = {
    files: new Map([...small].map(([name, { bytes }]) => [name, bytes])),
    headers: new Map(weights.map(({ file, header }) => [file.name, header])),
    owners,
  };
  const parsed = parseCheckpoint(files.id, read, gguf);
  const { id } = files;
  const packed =
    options.packed &&
    packedStore(
      openCache(options.packed.store),
      { ...options.packed, id, weights: weights.map(({ file }) => file) },
      options.packed,
    );
  const stream: Checkpoint["stream"] = ({ signal = stop, ...more } = {}) =>
    streamPacked(packed, (own) => streamFolder(files, weights, own), { signal, ...more });
  return withPackedFormats({ ...parsed, packed, stream }, options);
}

async function* streamFolder(
  files: Folder,
  weights: ReadFiles["weights"],
  { wanted, signal }: StreamWeightsOptions,
): AsyncGenerator<Piece, void, void> {
  for (const { file } of weights) {
    const chunks = chunksOf("", file, CHUNK_BYTES);
    const needed = wanted ? neededChunks(file, chunks, wanted) : chunks;
    const read = (chunk: Chunk) => files.readRange(file.name, chunk.begin, chunk.end);
    // The next chunk is read while this one is processed.
    for await (const [{ begin }, { content: bytes, tag }] of inOrder(
      needed,
      2,
      async (chunk) => [chunk, await read(chunk)] as const,
      signal,
    )) {
      if (tag !== file.tag) {
        throw new ChangedError(`${file.name} changed on the disk: load again to read it anew`);
      }
      yield { file: file.name, begin, bytes, network: false };
    }
  }
}
