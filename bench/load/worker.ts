import * as comlink from "comlink";
import { createModel } from "../../src/models/registry.ts";
import { browserPlatform } from "../../src/platform/browser.ts";
import type { ByteStore } from "../../src/platform/platform.ts";
import type { LoadedModel } from "../../src/runtime/loaded-model.ts";
import { STORE } from "../../src/weights/cache.ts";
import { exposeModel } from "../../src/worker/expose-model.ts";
import { modelLoader } from "../../src/worker/model-loader.ts";

/** The model's worker, as a page has it, whose store and network are counted. */
export interface BenchWorker {
  /** Offers the model's service at a port. */
  serve(port: MessagePort): void;
  /** Resolves when what was loaded is stored. */
  counts(): Promise<Counts>;
  /** @returns how fast these entries are read, as many at a time as a load reads, in bytes per ms */
  readStore(keys: readonly string[]): Promise<number>;
}

export interface Counts {
  readonly fetchedBytes: number;
  readonly storedBytes: number;
  readonly readBytes: number;
  /** The keys that were read, in their order. */
  readonly keys: readonly string[];
}

/** As `READ_AHEAD` of the packed store. */
const READERS = 4;

const count = { fetchedBytes: 0, storedBytes: 0, readBytes: 0, keys: [] as string[] };
let model: LoadedModel | undefined;

const ownFetch = globalThis.fetch;
globalThis.fetch = async (input, init) => {
  const response = await ownFetch(input, init);
  count.fetchedBytes += Number(response.headers.get("content-length"));
  return response;
};

const load = modelLoader(
  { createModel },
  {
    ...browserPlatform,
    openStore(name) {
      const own = browserPlatform.openStore(name) as ByteStore;
      return {
        ...own,
        async get(key) {
          const bytes = await own.get(key);
          count.readBytes += bytes?.length ?? 0;
          count.keys.push(key);
          return bytes;
        },
        async set(key, bytes) {
          await own.set(key, bytes);
          count.storedBytes += bytes.length;
        },
      };
    },
  },
);

const service: BenchWorker = {
  serve(port) {
    const loader = {
      load: async (...args: Parameters<typeof load>) => (model = await load(...args)),
      plan: () => Promise.reject(new Error("bench: no plans")),
    };
    exposeModel(loader, port);
  },
  async counts() {
    await model?.stored;
    return count;
  },
  async readStore(keys) {
    const store = browserPlatform.openStore(STORE) as ByteStore;
    const begin = performance.now();
    let next = 0;
    let bytes = 0;
    const read = async () => {
      while (next < keys.length) bytes += (await store.get(keys[next++] as string))?.length ?? 0;
    };
    await Promise.all(Array.from({ length: READERS }, read));
    return bytes / (performance.now() - begin);
  },
};
comlink.expose(service);
