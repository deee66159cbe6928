import { createStore, delMany, get, keys, set } from "idb-keyval";
import type { ByteStore, LockOptions } from "./platform.ts";

/**
 * Opens a store in IndexedDB. All tabs of the origin share it.
 *
 * @param name name of the database
 * @returns undefined without IndexedDB
 */
export function openStore(name: string): ByteStore | undefined {
  if (typeof indexedDB === "undefined") return undefined;
  const store = createStore(name, "bytes");
  return {
    get: (key) => get<Uint8Array<ArrayBuffer>>(key, store),
    // Structured clone copies the whole buffer of a view. Only the bytes of the view are wanted.
    set: (key, bytes) =>
      set(key, bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice(), store),
    delete: (deleted) => delMany([...deleted], store),
    keys: () => keys<string>(store),
    async freeBytes() {
      const { quota, usage = 0 } = await navigator.storage.estimate();
      return quota === undefined ? undefined : Math.max(0, quota - usage);
    },
    lock: (key, options) => lock(`${name} ${key}`, options),
  };
}

/** Takes a Web Lock. The browser frees it when this tab or worker ends. */
async function lock(name: string, { signal, onWait }: LockOptions): Promise<() => void> {
  const take = (options: globalThis.LockOptions) =>
    new Promise<(() => void) | undefined>((resolve, reject) => {
      const hold = (granted: Lock | null) =>
        new Promise<void>((free) => resolve(granted ? free : undefined));
      navigator.locks.request(name, options, hold).catch(reject);
    });
  const free = await take({ ifAvailable: true });
  if (free) return free;
  onWait?.({});
  const later = await take(signal ? { signal } : {});
  onWait?.();
  return later as () => void;
}
