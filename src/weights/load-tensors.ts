import type { Checkpoint } from "./checkpoint.ts";
import type { StoredTensor, WriteRows } from "./format.ts";
import { type OnProgress, type Progress, Rate } from "./progress.ts";
import type { Wait } from "./retry.ts";
import { RowChunker } from "./row-chunker.ts";
import type { Piece } from "./weight-file.ts";

/** A tensor of the checkpoint, and what its rows are passed to. */
export interface WantedTensor extends StoredTensor {
  readonly write: WriteRows;
}

export interface LoadTensorsOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
  /** See `Progress.storedAs`. */
  readonly storedAs?: readonly string[] | undefined;
}

/** A wanted tensor while its file is read. */
interface Loading extends WantedTensor {
  readonly chunker: RowChunker;
}

/**
 * Reads the checkpoint's files once, and passes the rows of all wanted tensors on.
 *
 * @throws the signal's reason, what `checkpoint.stream` and the writes throw, or Error when the
 *   stream ends before a tensor is complete
 */
export async function loadTensors(
  checkpoint: Pick<Checkpoint, "stream" | "storing">,
  wanted: readonly WantedTensor[],
  { signal, onProgress, storedAs = [] }: LoadTensorsOptions = {},
): Promise<void> {
  const byFile = new Map<string, Loading[]>();
  let totalBytes = 0;
  for (const tensor of [...wanted].sort((a, b) => a.info.begin - b.info.begin)) {
    const { info, rows, write } = tensor;
    const bytes = info.end - info.begin;
    totalBytes += bytes;
    const loading = byFile.get(info.file) ?? [];
    byFile.set(info.file, loading);
    if (rows > 0) loading.push({ ...tensor, chunker: new RowChunker(bytes / rows, write) });
  }
  let loadedBytes = 0;
  let networkBytes = 0;
  const rate = new Rate();
  const report = (more?: Partial<Progress>) =>
    onProgress?.({ stage: "weights", loadedBytes, totalBytes, networkBytes, ...stored(), ...more });
  const stored = () => ({
    ...(checkpoint.storing?.() === false && { stored: false as const }),
    ...(networkBytes > 0 && storedAs.length > 0 && { storedAs }),
  });
  report(rate.add(0, totalBytes));
  const onWait = (wait?: Wait) => report(wait && { stage: "waiting", waitSeconds: wait.seconds });
  let last = { file: "", begin: 0, passedOn: 0 };
  const ranges = wanted.map(({ info }) => info);
  for await (const piece of checkpoint.stream({ signal, onWait, wanted: ranges })) {
    const tensors = byFile.get(piece.file) ?? [];
    if (piece.file !== last.file) last = { ...piece, passedOn: 0 };
    // A file that arrived damaged and was mended comes again.
    if (piece.begin < last.begin) {
      for (const { chunker } of tensors) chunker.reset();
      loadedBytes -= last.passedOn;
      last.passedOn = 0;
    }
    const passedOn = await passOn(piece, tensors);
    loadedBytes += passedOn;
    last = { file: piece.file, begin: piece.begin + 1, passedOn: last.passedOn + passedOn };
    if (piece.network) networkBytes += passedOn;
    report(rate.add(loadedBytes, totalBytes));
    signal?.throwIfAborted();
  }
  for (const { name, rows, chunker } of [...byFile.values()].flat()) {
    if (chunker.rows !== rows) {
      throw new Error(`loadTensors: ${name}: got ${chunker.rows} rows of ${rows}`);
    }
  }
}

/**
 * Passes the bytes of a piece on to the tensors that they belong to.
 *
 * @param tensors those of the piece's file, by position
 * @returns the number of bytes passed on
 */
async function passOn(piece: Piece, tensors: readonly Loading[]): Promise<number> {
  const pieceEnd = piece.begin + piece.bytes.length;
  let passedOn = 0;
  for (const { info, chunker } of tensors) {
    if (info.begin >= pieceEnd) break;
    if (info.end <= piece.begin) continue;
    const begin = Math.max(info.begin, piece.begin);
    const end = Math.min(info.end, pieceEnd);
    await chunker.push(piece.bytes.subarray(begin - piece.begin, end - piece.begin));
    passedOn += end - begin;
  }
  return passedOn;
}
