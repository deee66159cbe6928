import { type Http, NoRangesError, download } from "./http.ts";
import { inOrder } from "./in-order.ts";

/** A file on a server, and how it is read. */
export interface FetchOptions {
  readonly http: Http;
  readonly url: string;
  readonly bytes: number;
  /** Whether the server answers requests for ranges. */
  readonly ranges?: boolean | undefined;
  /** Requests at a time. */
  readonly connections: number;
  /** Throws when a response is of another version of the file. */
  readonly check?: ((response: Response) => void) | undefined;
}

/** A part of a file. */
export interface ByteRange {
  readonly begin: number;
  readonly end: number;
}

/** Reads a range into the first bytes of `target`. */
export type ReadInto = (
  range: ByteRange,
  target: Uint8Array<ArrayBuffer>,
  signal: AbortSignal,
) => Promise<void>;

/**
 * Handles parts of a file in order, several at a time if the server answers requests for ranges. From a
 * server that does not, one connection reads the whole file.
 *
 * @param ranges in order; they may leave gaps
 * @param handle reads a range, or has it already
 * @throws HttpError, InterruptedError, what `check` and `handle` throw, the signal's reason
 */
export async function* fetchChunks<Chunk extends ByteRange, Result>(
  file: FetchOptions,
  ranges: readonly Chunk[],
  handle: (range: Chunk, read: ReadInto, signal: AbortSignal) => Promise<Result>,
): AsyncGenerator<Result, void, void> {
  const { http, connections } = file;
  let done = 0;
  if (file.ranges) {
    const read: ReadInto = async ({ begin, end }, target, signal) => {
      const pieces = download({ ...http, signal }, file.url, begin, end, file.check, true);
      let position = 0;
      for await (const piece of pieces) {
        target.set(piece, position);
        position += piece.length;
      }
    };
    try {
      const run = (chunk: Chunk, signal: AbortSignal) => handle(chunk, read, signal);
      for await (const result of inOrder(ranges, connections, run, http.signal)) {
        done++;
        yield result;
      }
      return;
    } catch (error) {
      // The server has changed its mind.
      if (!(error instanceof NoRangesError)) throw error;
    }
  }
  const sequence = readInSequence(file);
  try {
    const run = (chunk: Chunk, signal: AbortSignal) => handle(chunk, sequence.read, signal);
    yield* inOrder(ranges.slice(done), 1, run, http.signal);
  } finally {
    await sequence.close();
  }
}

/** Reads ascending ranges of a file by one request, and skips what is between them. */
function readInSequence({ http, url, bytes, check }: FetchOptions) {
  let pieces: AsyncGenerator<Uint8Array, void, void> | undefined;
  let rest: Uint8Array = new Uint8Array();
  let position = 0;
  const read: ReadInto = async ({ begin, end }, target, signal) => {
    if (!pieces) position = begin;
    pieces ??= download({ ...http, signal }, url, begin, bytes, check);
    while (position < end) {
      if (rest.length === 0) rest = (await pieces.next()).value as Uint8Array;
      const skipped = Math.min(Math.max(begin - position, 0), rest.length);
      const taken = rest.subarray(skipped, skipped + end - Math.max(position, begin));
      if (taken.length > 0) target.set(taken, position + skipped - begin);
      position += skipped + taken.length;
      rest = rest.subarray(skipped + taken.length);
    }
  };
  return { read, close: async () => pieces?.return() };
}
