import * as comlink from "comlink";
import { openStore } from "../../src/platform/store.ts";

/** Where a store keeps its entries. */
export type Place = "files" | "database";

/** Bytes per millisecond. */
export interface StoreSpeed {
  readonly write: number;
  /** One entry after another. */
  readonly read: number;
  /** Four entries at a time, as a load reads them. */
  readonly readFour: number;
}

/** Measures the library's store in a worker. */
export interface StoreWorker {
  /** Writes entries, reads them and deletes them. */
  measure(place: Place, chunkBytes: number, totalBytes: number): Promise<StoreSpeed>;
}

/** Bytes that `crypto.getRandomValues` fills at once. */
const RANDOM_BYTES = 1 << 16;

const service: StoreWorker = {
  async measure(place, chunkBytes, totalBytes) {
    // As in a browser whose workers can't write such files.
    if (place === "database") {
      delete (FileSystemFileHandle.prototype as { createSyncAccessHandle?: unknown })
        .createSyncAccessHandle;
    }
    const store = openStore(`bench-${place}`)!;
    const bytes = new Uint8Array(chunkBytes);
    for (let i = 0; i < chunkBytes; i += RANDOM_BYTES) {
      crypto.getRandomValues(bytes.subarray(i, i + RANDOM_BYTES));
    }
    const keys = Array.from({ length: totalBytes / chunkBytes }, (_, i) => `${i}`);
    const timed = async (work: () => Promise<unknown>) => {
      const begin = performance.now();
      await work();
      return totalBytes / (performance.now() - begin);
    };
    const read = async (key: string) => {
      const { length } = (await store.get(key)) ?? { length: 0 };
      if (length !== chunkBytes) throw new Error(`bench: read ${length} bytes of ${chunkBytes}`);
    };
    const inTurn =
      (each: (key: string) => Promise<void>, rest = keys.values()) =>
      async () => {
        for (const key of rest) await each(key);
      };
    try {
      return {
        write: await timed(inTurn((key) => store.set(key, bytes))),
        read: await timed(inTurn(read)),
        readFour: await timed(() => {
          const rest = keys.values();
          return Promise.all(Array.from({ length: 4 }, inTurn(read, rest)));
        }),
      };
    } finally {
      await store.delete(keys);
    }
  },
};
comlink.expose(service);
