import {
  type Checkpoint,
  type OpenOptions,
  openGguf,
  parseCheckpoint,
  withPackedFormats,
} from "./checkpoint.ts";
import type { Folder } from "./folder.ts";
import { soleGguf } from "./gguf-names.ts";
import { NO_BYTES } from "./progress.ts";
import { type ReadFiles, readFiles } from "./read-files.ts";
import type { GgufChoice } from "./source.ts";
import { ChangedError, type Piece } from "./weight-file.ts";

/** Bytes that are read at once. */
const CHUNK_BYTES = 8 << 20;

/**
 * Opens a checkpoint on the user's own disk. It is read in place, and nothing is stored.
 *
 * @param choice the GGUF file that is meant. Default: the one that the folder has, if it has no
 *   checkpoint in safetensors
 * @throws Error when a file is missing or not valid, or can't be read; the signal's reason
 */
export async function openFolder(
  files: Folder,
  options: Pick<OpenOptions, "signal" | "onProgress" | "packedFormats" | "gguf"> = {},
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
  const stream: Checkpoint["stream"] = ({ signal = stop } = {}) =>
    streamFolder(files, weights, signal);
  return withPackedFormats({ ...parsed, stream }, options);
}

async function* streamFolder(
  files: Folder,
  weights: ReadFiles["weights"],
  signal: AbortSignal | undefined,
): AsyncGenerator<Piece, void, void> {
  for (const { file } of weights) {
    const read = (begin: number) => {
      const end = Math.min(begin + CHUNK_BYTES, file.bytes);
      return begin < end ? files.readRange(file.name, begin, end) : undefined;
    };
    // The next chunk is read while this one is processed.
    let ahead = read(0);
    for (let begin = 0; begin < file.bytes; begin += CHUNK_BYTES) {
      signal?.throwIfAborted();
      const { content: bytes, tag } = (await ahead)!;
      if (tag !== file.tag) {
        throw new ChangedError(`${file.name} changed on the disk: load again to read it anew`);
      }
      ahead = read(begin + CHUNK_BYTES);
      ahead?.catch(() => {}); // Thrown when it is awaited, unless the caller has stopped.
      yield { file: file.name, begin, bytes, network: false };
    }
  }
}
