/**
 * What a service worker and the tabs of its origin tell one another. The worker may be stopped
 * between any two requests, and a tab may go at any time, so neither side keeps a state that the
 * other must know: each asks again, and Web Locks tell of the other's end.
 */

/** The service worker asks every tab which of them owns the model; an answer comes by the port. */
export interface WhoOwns {
  readonly webvlm: "who-owns";
  readonly prefix: string;
  /** A Web Lock that this run of the service worker holds until it is stopped. */
  readonly worker: string;
}

/** The owner's answer, with a port on which it offers a `FetchHost`. */
export interface Owns {
  /** A Web Lock that the owner holds for as long as it answers. */
  readonly owner: string;
}

/** A tab tells the service worker that it owns the model from now on. */
export interface NewOwner {
  readonly webvlm: "new-owner";
  readonly prefix: string;
}

/** The Web Lock that makes one tab of all the owner. */
export function ownershipLock(prefix: string): string {
  return `webvlm owner of ${prefix}`;
}

/** Holds a Web Lock of a new name for as long as this page or worker runs, or until released. */
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

/** @returns a signal that aborts with `reason` once nobody holds the lock any more */
export function whenLockEnds(name: string, reason: Error): AbortSignal {
  const ended = new AbortController();
  const end = (): void => ended.abort(reason);
  navigator.locks.request(name, { mode: "shared" }, end).catch(end);
  return ended.signal;
}
