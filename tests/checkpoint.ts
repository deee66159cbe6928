import type { ByteStore } from "../src/platform/platform.ts";

export interface StoredTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** Writes tensors as a safetensors file. */
export function safetensors(
  tensors: Readonly<Record<string, StoredTensor>>,
): Uint8Array<ArrayBuffer> {
  let end = 0;
  const header = Object.entries(tensors).map(([name, { dtype, shape, data }]) => {
    const begin = end;
    end += data.length;
    return [name, { dtype, shape, data_offsets: [begin, end] }];
  });
  let json = JSON.stringify(Object.fromEntries(header));
  json += " ".repeat((8 - (json.length % 8)) % 8);
  const file = new Uint8Array(8 + json.length + end);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  new TextEncoder().encodeInto(json, file.subarray(8));
  let position = 8 + json.length;
  for (const { data } of Object.values(tensors)) {
    file.set(data, position);
    position += data.length;
  }
  return file;
}

export interface MemoryStore extends ByteStore {
  readonly entries: Map<string, Uint8Array<ArrayBuffer>>;
}

/** Bytes in memory, and a lock as tabs share it. With `capacityBytes` it is full there, as a browser's store is. */
export function memoryStore(capacityBytes = Infinity): MemoryStore {
  const entries = new Map<string, Uint8Array<ArrayBuffer>>();
  const locks = new Map<string, { shared: boolean; ended: Promise<void> }[]>();
  return {
    entries,
    get: async (key) => entries.get(key)?.slice(),
    set: async (key, bytes) => {
      let used = bytes.length;
      for (const [other, { length }] of entries) if (other !== key) used += length;
      if (used > capacityBytes) throw new DOMException("the store is full", "QuotaExceededError");
      entries.set(key, bytes.slice());
    },
    delete: async (keys) => keys.forEach((key) => void entries.delete(key)),
    keys: async () => [...entries.keys()],
    lock: async (name, { shared = false, onWait }) => {
      const all = locks.get(name) ?? [];
      locks.set(name, all);
      const before = all.filter((other) => !shared || !other.shared);
      let unlock = () => {};
      const ended = new Promise<void>((resolve) => (unlock = resolve));
      const own = { shared, ended };
      all.push(own);
      void ended.then(() => all.splice(all.indexOf(own), 1));
      if (before.length > 0) {
        onWait?.({});
        await Promise.all(before.map((other) => other.ended));
        onWait?.();
      }
      return unlock;
    },
  };
}
