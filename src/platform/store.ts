import { createStore, del, delMany, get, getMany, keys, set, values } from "idb-keyval";
import { type OriginFiles, canWriteOriginFiles, openOriginFiles } from "./origin-files.ts";
import type { ByteStore, LockOptions } from "./platform.ts";

/** Shorter entries are kept in the database itself. */
const FILE_BYTES = 64 << 10;

/**
 * Opens a store in IndexedDB, with long entries in files of the origin's private file system, which workers
 * write and read several times as fast. Where there are no such files, all entries are in the database. All
 * tabs of the origin share it.
 *
 * @param name of the database and of the folder of the files
 * @returns undefined without IndexedDB
 */
export function openStore(name: string): ByteStore | undefined {
  if (typeof indexedDB === "undefined") return undefined;
  const store = createStore(name, "bytes");
  // The names of the entries' files, by key. An entry is found here first.
  const names = createStore(`${name}-files`, "names");
  let opened: Promise<OriginFiles | undefined> | undefined;
  const files = () => (opened ??= openOriginFiles(name));
  let isSwept = false;
  const writableFiles = async () => {
    const folder = canWriteOriginFiles() ? await files() : undefined;
    if (folder && !isSwept) await folder.deleteOthers(new Set(await values<string>(names)));
    isSwept = true;
    return folder;
  };
  return {
    async get(key) {
      const file = await get<string>(key, names);
      return file === undefined ? get(key, store) : (await files())?.read(file);
    },
    async set(key, bytes) {
      const folder = bytes.length < FILE_BYTES ? undefined : await writableFiles();
      const before = await get<string>(key, names);
      if (folder) {
        await set(key, await folder.write(bytes), names);
        await del(key, store);
      } else {
        // Structured clone copies the whole buffer of a view. Only the bytes of the view are wanted.
        const whole = bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
        await set(key, whole, store);
        if (before !== undefined) await del(key, names);
      }
      if (before !== undefined) await (await files())?.delete([before]);
    },
    async delete(deleted) {
      const keys = [...deleted];
      const found = await getMany<string>(keys, names);
      await Promise.all([delMany(keys, names), delMany(keys, store)]);
      const unneeded = found.filter((file) => file !== undefined);
      if (unneeded.length > 0) await (await files())?.delete(unneeded);
    },
    keys: async () => [
      ...new Set((await Promise.all([keys<string>(store), keys<string>(names)])).flat()),
    ],
    async freeBytes() {
      const { quota, usage = 0 } = await navigator.storage.estimate();
      return quota === undefined ? undefined : Math.max(0, quota - usage);
    },
    lock: (key, options) => lock(`${name} ${key}`, options),
  };
}

/** Takes a Web Lock. The browser frees it when this tab or worker ends. */
async function lock(name: string, { shared, signal, onWait }: LockOptions): Promise<() => void> {
  const mode = shared ? "shared" : "exclusive";
  const take = (options: globalThis.LockOptions) =>
    new Promise<(() => void) | undefined>((resolve, reject) => {
      const hold = (granted: Lock | null) =>
        new Promise<void>((free) => resolve(granted ? free : undefined));
      navigator.locks.request(name, { mode, ...options }, hold).catch(reject);
    });
  const free = await take({ ifAvailable: true });
  if (free) return free;
  onWait?.({});
  const later = await take(signal ? { signal } : {});
  onWait?.();
  return later as () => void;
}
