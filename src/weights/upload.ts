import type { Gpu } from "../gpu/device.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { OnProgress } from "./progress.ts";
import { RowWriter, type WriteRows } from "./row-writer.ts";
import type { TensorInfo } from "./safetensors.ts";
import type { Piece } from "./weight-file.ts";

/** A tensor of the checkpoint that shall be on the GPU. */
export interface Wanted {
  readonly name: string;
  readonly info: TensorInfo;
  readonly rows: number;
  readonly write: WriteRows;
}

export interface UploadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
}

/** Bytes written between two waits for the GPU, so that they don't pile up in memory. */
const IN_FLIGHT_BYTES = 64 << 20;

/** One `Wanted` while its file is read. */
interface Upload extends Wanted {
  readonly writer: RowWriter;
}

/**
 * Writes all wanted tensors in one pass over the checkpoint's files; resolves when the GPU has
 * them.
 *
 * @throws DeviceLostError, the signal's reason, what `checkpoint.stream` throws, or Error when it
 *   ends without some tensor
 */
export async function upload(
  gpu: Gpu,
  checkpoint: Pick<Checkpoint, "stream">,
  wanted: readonly Wanted[],
  { signal, onProgress }: UploadOptions = {},
): Promise<void> {
  const byFile = new Map<string, Upload[]>();
  let totalBytes = 0;
  for (const want of [...wanted].sort((a, b) => a.info.begin - b.info.begin)) {
    const { info, rows, write } = want;
    const bytes = info.end - info.begin;
    totalBytes += bytes;
    const uploads = byFile.get(info.file) ?? [];
    byFile.set(info.file, uploads);
    if (rows > 0) uploads.push({ ...want, writer: new RowWriter(bytes / rows, write) });
  }
  let loadedBytes = 0;
  let networkBytes = 0;
  let inFlight = 0;
  const report = () => onProgress?.({ stage: "weights", loadedBytes, totalBytes, networkBytes });
  report();
  for await (const piece of checkpoint.stream({ signal })) {
    const written = await writePiece(piece, byFile.get(piece.file) ?? []);
    loadedBytes += written;
    if (piece.network) networkBytes += written;
    report();
    inFlight += written;
    if (inFlight < IN_FLIGHT_BYTES) continue;
    await finish(gpu, signal);
    inFlight = 0;
  }
  for (const { name, rows, writer } of [...byFile.values()].flat()) {
    if (writer.rows !== rows) throw new Error(`${name}: got ${writer.rows} rows of ${rows}`);
  }
  await finish(gpu, signal);
}

/**
 * Passes a piece's bytes on to the tensors that they belong to.
 *
 * @param uploads those of the piece's file, by position
 * @returns the bytes passed on
 */
async function writePiece(piece: Piece, uploads: readonly Upload[]): Promise<number> {
  const pieceEnd = piece.begin + piece.bytes.length;
  let written = 0;
  for (const { info, writer } of uploads) {
    if (info.begin >= pieceEnd) break;
    if (info.end <= piece.begin) continue;
    const begin = Math.max(info.begin, piece.begin);
    const end = Math.min(info.end, pieceEnd);
    await writer.push(piece.bytes.subarray(begin - piece.begin, end - piece.begin));
    written += end - begin;
  }
  return written;
}

async function finish(gpu: Gpu, signal: AbortSignal | undefined): Promise<void> {
  // Some browsers look whether work is done only when there is more of it.
  gpu.device.queue.submit([]);
  await gpu.device.queue.onSubmittedWorkDone();
  if (gpu.lost) throw gpu.lost;
  signal?.throwIfAborted();
}
