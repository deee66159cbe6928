/** How a checkpoint's server is spoken to. */
export interface Http {
  readonly fetch: typeof globalThis.fetch;
  /** Sent as bearer token. */
  readonly token?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Tries after one that failed, without a byte in between. */
  readonly retries: number;
  /** The wait before the first of these; it doubles each time. */
  readonly retryDelayMs: number;
  /** A connection on which nothing comes for so long counts as dead. */
  readonly stallMs: number;
}

/** The server answered, but not with the file. */
export class HttpError extends Error {
  override name = "HttpError";
  readonly status: number;

  constructor(url: string, status: number) {
    super(`${url} answered with status ${status}`);
    this.status = status;
  }
}

/** The network failed, which may pass. */
export class InterruptedError extends Error {
  override name = "InterruptedError";
}

/** Request Timeout, Too Early, Too Many Requests. */
const BUSY = [408, 425, 429];

/** What config.json and the like may have at most; the largest tokenizers have some 40 MB. */
const MAX_WHOLE_BYTES = 256 << 20;

/**
 * Reads a whole file, and tries again where that may help.
 *
 * @throws HttpError, InterruptedError, RangeError for more than 256 MiB, or the signal's reason
 */
export async function readWhole(
  http: Http,
  url: string,
): Promise<{ bytes: Uint8Array<ArrayBuffer>; headers: Headers }> {
  for (let failures = 0; ;) {
    try {
      return await receiveWhole(http, url);
    } catch (error) {
      await recover(http, error, ++failures);
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
 * Reads the bytes `begin ..< end` of a file. Where the connection dies it goes on from there, and
 * gives up after too many failures without a byte in between.
 *
 * @param onResponse sees each response before its bytes; what it throws ends the download
 * @throws HttpError, InterruptedError, or the signal's reason
 */
export async function* download(
  http: Http,
  url: string,
  begin: number,
  end: number,
  onResponse?: (response: Response) => void,
): AsyncGenerator<Uint8Array, void, void> {
  let position = begin;
  for (let failures = 0; position < end;) {
    try {
      let skipped = 0;
      const init = {
        headers: { range: `bytes=${position}-${end - 1}` },
        cache: "no-store" as const,
      };
      const body = receive(http, url, init, (response) => {
        onResponse?.(response);
        // A server that knows no ranges sends the whole file.
        skipped = position - firstByte(response, position);
        if (skipped < 0) throw new Error(`${url}: asked for byte ${position}, got one after it`);
      });
      for await (let bytes of body) {
        const skip = Math.min(skipped, bytes.length);
        skipped -= skip;
        bytes = bytes.subarray(skip, skip + end - position);
        if (bytes.length === 0) continue;
        failures = 0;
        position += bytes.length;
        yield bytes;
        if (position === end) return;
      }
      throw new InterruptedError(`${url}: the connection ended at byte ${position} of ${end}`);
    } catch (error) {
      await recover(http, error, ++failures);
    }
  }
}

/** @returns the position in the file of a response's first byte, which was asked to be `asked` */
function firstByte(response: Response, asked: number): number {
  if (response.status !== 206) return 0;
  const [, begin] = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "") ?? [];
  // Another origin may hide its Content-Range; then it is taken at its word.
  return begin === undefined ? asked : Number(begin);
}

/** @returns whether the server would not answer now, but may later */
export function isBusy(error: unknown): error is HttpError {
  return error instanceof HttpError && (error.status >= 500 || BUSY.includes(error.status));
}

/** Waits before the next try. Throws what another try would not mend. */
async function recover(http: Http, error: unknown, failures: number): Promise<void> {
  http.signal?.throwIfAborted();
  const passing = error instanceof InterruptedError || isBusy(error);
  if (!passing || failures > http.retries) throw error;
  await delay(http.retryDelayMs * 2 ** (failures - 1), http.signal);
}

/** One request and its body. Leaving the iteration closes the connection. */
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
    if (!response.ok) throw new HttpError(url, response.status);
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

/** Rejects when the signal aborts, or when the promise takes too long, whatever it is up to. */
function inTime<T>(promise: Promise<T>, timeoutMs: number, signal?: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    const timer = setTimeout(
      () => reject(new Error(`nothing came for ${timeoutMs} ms`)),
      timeoutMs,
    );
    promise.then(resolve, reject).finally(() => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    });
  });
}

function delay(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
