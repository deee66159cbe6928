/** A pause of a load. Without `seconds` it lasts until another tab or process has read the weights. */
export interface Wait {
  readonly seconds?: number;
}

/** When and how long a failed request waits before it is sent again. */
export interface RetryOptions {
  readonly signal?: AbortSignal | undefined;
  /** Network failures without a byte received in between. */
  readonly retries: number;
  /** Wait before the first retry, unless the server names one. It doubles each time, up to 5 minutes. */
  readonly retryDelayMs: number;
  /** Default: until the time is up or the browser comes online. Rejects when the signal aborts. */
  readonly sleep?: ((ms: number, signal?: AbortSignal) => Promise<void>) | undefined;
  /** Called at the beginning of each wait, and without an argument at its end. */
  readonly onWait?: ((wait?: Wait) => void) | undefined;
}

/** The server answered with an error status. */
export class HttpError extends Error {
  override name = "HttpError";
  readonly status: number;
  /** What the hub says is wrong: `GatedRepo`, `RepoNotFound`, `RevisionNotFound`, `EntryNotFound`. */
  readonly code: string | undefined;
  /** How long the server asks to wait. */
  readonly waitSeconds: number | undefined;

  constructor(url: string, status: number, headers = new Headers()) {
    const code = headers.get("x-error-code") ?? undefined;
    super(`${url} answered with status ${status}${code ? ` (${code})` : ""}`);
    this.status = status;
    this.code = code;
    this.waitSeconds = waitSeconds(headers);
  }
}

/** The network failed. A later attempt may succeed. */
export class InterruptedError extends Error {
  override name = "InterruptedError";
}

/** Request Timeout, Too Early, Too Many Requests. */
const BUSY = [408, 425, 429];
/** Too Many Requests, Service Unavailable: these pass, but may take the five minutes of a hub's window. */
const PATIENT = [429, 503];
const MAX_DELAY_MS = 300_000;
const MAX_BUSY_MS = 600_000;

/** @returns whether the server is too busy to answer, so that a retry may help */
export function isBusy(error: unknown): error is HttpError {
  return error instanceof HttpError && (error.status >= 500 || BUSY.includes(error.status));
}

/** @returns the time in `Retry-After`, or until the window of `RateLimit: "api";r=0;t=123` ends */
function waitSeconds(headers: Headers): number | undefined {
  const after = headers.get("retry-after");
  const limit = /;\s*t=(\d+)/.exec(headers.get("ratelimit") ?? "")?.[1];
  const seconds = after
    ? Number(after) || (Date.parse(after) - Date.now()) / 1000
    : limit && Number(limit);
  return seconds && seconds > 0 ? seconds : undefined;
}

/** Counts the failures of one request since its last byte. */
export class Retry {
  #waits = 0;
  #failures = 0;
  #busyMs = 0;

  /** Bytes have arrived. */
  reset(): void {
    this.#waits = this.#failures = this.#busyMs = 0;
  }

  /** Waits before the next try. Throws `error` when a try would not help, or has failed too often. */
  async wait(options: RetryOptions, error: unknown): Promise<void> {
    const { signal, retries, retryDelayMs, sleep = pause, onWait } = options;
    signal?.throwIfAborted();
    const busy = isBusy(error);
    if (!busy && !(error instanceof InterruptedError)) throw error;
    const delay = Math.min(retryDelayMs * 2 ** this.#waits++, MAX_DELAY_MS);
    const ms = Math.max(delay, ((busy && error.waitSeconds) || 0) * 1000);
    if (busy && (error.waitSeconds !== undefined || PATIENT.includes(error.status))) {
      this.#busyMs += ms;
      if (this.#busyMs > MAX_BUSY_MS) throw error;
    } else if (++this.#failures > retries) throw error;
    onWait?.({ seconds: ms / 1000 });
    await sleep(ms, signal);
    onWait?.();
  }
}

/** Resolves when the time is up or the browser comes online. One that is offline waits for that. */
function pause(ms: number, signal?: AbortSignal): Promise<void> {
  const offline = (globalThis.navigator as Navigator | undefined)?.onLine === false;
  return new Promise((resolve, reject) => {
    const stop = new AbortController();
    const end = (settle: () => void) => () => {
      clearTimeout(timer);
      stop.abort();
      settle();
    };
    const timer = setTimeout(end(resolve), offline ? Math.max(ms, MAX_DELAY_MS) : ms);
    // Node has neither the event nor this function.
    (globalThis as Partial<EventTarget>).addEventListener?.("online", end(resolve), stop);
    signal?.addEventListener(
      "abort",
      end(() => reject(signal.reason)),
      stop,
    );
  });
}
