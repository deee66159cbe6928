import { createStore, delMany, get, keys, set } from "idb-keyval";
import type { ByteStore } from "./platform.ts";

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
  };
}
