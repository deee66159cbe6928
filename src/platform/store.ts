import { createStore, delMany, get, keys, set } from "idb-keyval";
import type { ByteStore } from "./platform.ts";

/**
 * Bytes in IndexedDB, kept between visits and shared by all tabs of the origin.
 *
 * @param name the database
 * @returns undefined where there is no IndexedDB
 */
export function openStore(name: string): ByteStore | undefined {
  if (typeof indexedDB === "undefined") return undefined;
  const store = createStore(name, "bytes");
  return {
    get: (key) => get<Uint8Array<ArrayBuffer>>(key, store),
    // A view is cloned with the whole of its buffer: only its own bytes shall be kept.
    set: (key, bytes) =>
      set(key, bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice(), store),
    delete: (deleted) => delMany([...deleted], store),
    keys: () => keys<string>(store),
  };
}
