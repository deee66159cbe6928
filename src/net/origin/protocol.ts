/**
 * Messages between a service worker and the tabs of its origin. The browser may stop the worker
 * between any two requests, and close a tab at any time. So neither side relies on the other's
 * memory: each asks again, and a Web Lock that is released says that its holder is gone.
 */

/** The service worker asks every tab whether it owns the model. The owner answers by the port. */
export interface WhoOwns {
  readonly webvlm: "who-owns";
  readonly prefix: string;
  /** A Web Lock that the service worker holds until it is stopped. */
  readonly worker: string;
}

/** The owner's answer. A port comes with it, on which the owner offers a `FetchService`. */
export interface Owns {
  /** A Web Lock that the owner holds for as long as it answers. */
  readonly owner: string;
}

/** A tab tells the service worker that it now owns the model. */
export interface NewOwner {
  readonly webvlm: "new-owner";
  readonly prefix: string;
}

/** The Web Lock whose holder is the owner. */
export function ownershipLock(prefix: string): string {
  return `webvlm owner of ${prefix}`;
}

/** Holds a Web Lock of a new name until it is released, or this page or worker ends. */
export async function holdLock(what: string): Promise<{ name: string; release(): void }> {
  const name = `webvlm ${what} ${crypto.randomUUID()}`;
  let release = (): void => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  await new Promise<void>((resolve, reject) => {
    const hold = (): Promise<void> => {
      resolve();
      return released;
    };
    navigator.locks.request(name, hold).catch(reject);
  });
  return { name, release };
}

/** @returns a signal that aborts with `reason` once nobody holds the lock */
export function whenLockEnds(name: string, reason: Error): AbortSignal {
  const ended = new AbortController();
  const end = (): void => ended.abort(reason);
  navigator.locks.request(name, { mode: "shared" }, end).catch(end);
  return ended.signal;
}
