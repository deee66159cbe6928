import { HttpError, InterruptedError, Retry, type RetryOptions } from "./retry.ts";

/** How requests are sent to a checkpoint's server. */
export interface Http extends RetryOptions {
  readonly fetch: typeof globalThis.fetch;
  /** Sent as bearer token. */
  readonly token?: string | undefined;
  /** A connection that delivers nothing for this long counts as dead. */
  readonly stallMs: number;
}

/** A server that answered requests for ranges sends whole files now. */
export class NoRangesError extends Error {
  override name = "NoRangesError";
}

/** The most bytes of a small file such as config.json. The largest tokenizers have about 40 MB. */
const MAX_WHOLE_BYTES = 256 << 20;

/**
 * Reads a whole file. Retries after failures that may pass.
 *
 * @throws HttpError, InterruptedError, RangeError for more than 256 MiB, or the signal's reason
 */
export async function readWhole(
  http: Http,
  url: string,
): Promise<{ bytes: Uint8Array<ArrayBuffer>; headers: Headers }> {
  const retry = new Retry();
  for (;;) {
    try {
      return await receiveWhole(http, url);
    } catch (error) {
      await retry.wait(http, error);
    }
  }
}

async function receiveWhole(
  http: Http,
  url: string,
): Promise<{ bytes: Uint8Array<ArrayBuffer>; headers: Headers }> {
  let headers = new Headers();
  const pieces: Uint8Array[] = [];
  let length = 0;
  const init: RequestInit = { cache: "no-cache" };
  for await (const piece of receive(http, url, init, (response) => (headers = response.headers))) {
    pieces.push(piece);
    length += piece.length;
    if (length > MAX_WHOLE_BYTES)
      throw new RangeError(`${url}: more than ${MAX_WHOLE_BYTES} bytes`);
  }
  const bytes = new Uint8Array(length);
  let position = 0;
  for (const piece of pieces) {
    bytes.set(piece, position);
    position += piece.length;
  }
  return { bytes, headers };
}

/**
 * Reads the bytes `begin ..< end` of a file. When the connection dies, it continues at the first
 * missing byte. It gives up after too many failures without a byte in between.
 *
 * @param onResponse receives each response before its bytes; an error that it throws ends the download
 * @param ranges whether the server is known to send ranges, so that the whole file would be a waste
 * @throws HttpError, InterruptedError, NoRangesError, or the signal's reason
 */
export async function* download(
  http: Http,
  url: string,
  begin: number,
  end: number,
  onResponse?: (response: Response) => void,
  ranges = false,
): AsyncGenerator<Uint8Array, void, void> {
  let position = begin;
  const retry = new Retry();
  let wholes = 0;
  while (position < end) {
    try {
      let skipped = 0;
      const init = {
        headers: { range: `bytes=${position}-${end - 1}` },
        cache: "no-store" as const,
      };
      const body = receive(http, url, init, (response) => {
        onResponse?.(response);
        if (ranges && response.status === 200 && position > 0) {
          const message = `${url}: the whole file came instead of a range`;
          throw ++wholes > 2 ? new NoRangesError(message) : new InterruptedError(message);
        }
        // A server without range requests sends the whole file.
        skipped = position - firstByte(response, position);
        if (skipped < 0)
          throw new Error(`download: ${url}: expected byte ${position}, got a later one`);
      });
      for await (let bytes of body) {
        const skip = Math.min(skipped, bytes.length);
        skipped -= skip;
        bytes = bytes.subarray(skip, skip + end - position);
        if (bytes.length === 0) continue;
        retry.reset();
        position += bytes.length;
        yield bytes;
        if (position === end) return;
      }
      throw new InterruptedError(`${url}: the connection ended at byte ${position} of ${end}`);
    } catch (error) {
      await retry.wait(http, error);
    }
  }
}

/** @returns the position of a response's first byte in the file, when byte `asked` was requested */
function firstByte(response: Response, asked: number): number {
  if (response.status !== 206) return 0;
  const [, begin] = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "") ?? [];
  // Another origin may hide its Content-Range. Then the range must be the requested one.
  return begin === undefined ? asked : Number(begin);
}

/** Yields the body of one request. Leaving the iteration closes the connection. */
async function* receive(
  http: Http,
  url: string,
  init: RequestInit,
  onResponse: (response: Response) => void,
): AsyncGenerator<Uint8Array, void, void> {
  const { fetch, signal, token, stallMs } = http;
  signal?.throwIfAborted();
  const connection = new AbortController();
  const headers = new Headers(init.headers);
  if (token) headers.set("authorization", `Bearer ${token}`);
  const wait = async <T>(start: () => Promise<T>): Promise<T> => {
    try {
      return await inTime(start(), stallMs, signal);
    } catch (cause) {
      signal?.throwIfAborted();
      throw new InterruptedError(`${url}: ${(cause as Error).message}`, { cause });
    }
  };
  try {
    const response = await wait(() => fetch(url, { ...init, headers, signal: connection.signal }));
    if (!response.ok) throw new HttpError(url, response.status, response.headers);
    onResponse(response);
    const reader = response.body?.getReader();
    while (reader) {
      const { done, value } = await wait(() => reader.read());
      if (done) return;
      yield value;
    }
  } finally {
    connection.abort();
  }
}

/** Settles as `promise` does, but rejects when the signal aborts or the time is up. */
function inTime<T>(promise: Promise<T>, timeoutMs: number, signal?: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    const timer = setTimeout(() => reject(new Error(`no data for ${timeoutMs} ms`)), timeoutMs);
    promise.then(resolve, reject).finally(() => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    });
  });
}
