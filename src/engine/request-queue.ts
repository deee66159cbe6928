import { QueueFullError } from "./generation.ts";

/** Lets one request at a time onto the GPU, first come first served. */
export class RequestQueue {
  readonly #capacity: number;
  #waiting = 0;
  #last: Promise<void> = Promise.resolve();

  /** @param capacity how many may wait, beside the one that runs */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Requests that wait or run. */
  get length(): number {
    return this.#waiting;
  }

  /**
   * Waits for its turn.
   *
   * @returns the function that ends the turn
   * @throws QueueFullError when too many wait; the signal's reason when it aborts while waiting
   */
  async take(signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    if (this.#waiting > this.#capacity) {
      throw new QueueFullError(`${this.#waiting} requests are waiting, the queue holds no more`);
    }
    this.#waiting++;
    const before = this.#last;
    let release = (): void => {};
    this.#last = new Promise((resolve) => (release = resolve));
    const end = (): void => {
      this.#waiting--;
      release();
    };
    try {
      await orAborted(before, signal);
    } catch (reason) {
      this.#waiting--;
      // Whoever comes after waits for those before, not for this one.
      void before.then(release);
      throw reason;
    }
    return end;
  }
}

/** Waits for `promise`, or rejects with the signal's reason as soon as that aborts. */
function orAborted(promise: Promise<void>, signal?: AbortSignal): Promise<void> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", onAbort, { once: true });
    void promise.then(() => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    });
  });
}
