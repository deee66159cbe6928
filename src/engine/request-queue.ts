import { QueueFullError } from "./generation.ts";

/** Lets one request at a time use the GPU, in the order of their calls. */
export class RequestQueue {
  readonly #capacity: number;
  #length = 0;
  #last: Promise<void> = Promise.resolve();

  /** @param capacity how many requests may wait while one runs */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Requests that wait or run. */
  get length(): number {
    return this.#length;
  }

  /**
   * Waits until all earlier requests have been released.
   *
   * @returns the function that releases this request, to be called once
   * @throws QueueFullError when too many requests wait
   * @throws the signal's reason when it aborts while the request waits
   */
  async acquire(signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    if (this.#length > this.#capacity) {
      throw new QueueFullError(
        `RequestQueue.acquire: the queue is full, ${this.#length - 1} requests wait`,
      );
    }
    this.#length++;
    const before = this.#last;
    let resolve = (): void => {};
    this.#last = new Promise((resolved) => (resolve = resolved));
    try {
      await orAborted(before, signal);
    } catch (reason) {
      this.#length--;
      // Later requests still wait for the earlier ones.
      void before.then(resolve);
      throw reason;
    }
    return () => {
      this.#length--;
      resolve();
    };
  }
}

/** Waits for `promise`, or rejects with the signal's reason as soon as the signal aborts. */
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
