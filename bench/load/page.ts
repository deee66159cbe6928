import { loadShaders } from "../../src/gpu/shaders/load-shaders.ts";
import { createModel } from "../../src/models/registry.ts";
import { browserPlatform } from "../../src/platform/browser.ts";
import type { ByteStore } from "../../src/platform/platform.ts";
import { loadCheckpoint } from "../../src/runtime/load-checkpoint.ts";
import { STORE } from "../../src/weights/cache.ts";
import { openCheckpoint } from "../../src/weights/checkpoint.ts";
import { resolveSource } from "../../src/weights/source.ts";
import HashWorker from "../../src/worker/hash-worker.ts?worker";
import { remoteHashes } from "../../src/worker/remote-hash.ts";

/** Measurements of one start. */
export interface LoadResult {
  readonly fetchedBytes: number;
  readonly storedBytes: number;
  readonly readBytes: number;
  /** The keys that were read, in their order. */
  readonly keys: readonly string[];
  /** Milliseconds of each stage. */
  readonly stages: Readonly<Record<string, number>>;
}

/** Loads a model as a page's worker does, and stores it. */
export async function measureLoad(name: string, hub: string): Promise<LoadResult> {
  const count = { fetchedBytes: 0, storedBytes: 0, readBytes: 0, keys: [] as string[] };
  const stages: Record<string, number> = {};
  let stage = "open";
  let begin = performance.now();
  const enter = (next: string) => {
    const now = performance.now();
    stages[stage] = (stages[stage] ?? 0) + now - begin;
    [stage, begin] = [next, now];
  };
  const own = browserPlatform.openStore(STORE) as ByteStore;
  const store: ByteStore = {
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
  const worker = new HashWorker();
  const countingFetch: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    count.fetchedBytes += Number(response.headers.get("content-length"));
    return response;
  };
  const onProgress = (progress: { readonly stage: string }) => {
    if (progress.stage !== stage) enter(progress.stage);
  };
  const model = await loadCheckpoint(
    () =>
      openCheckpoint(resolveSource(name, { hub }), {
        ...{ store, onProgress, fetch: countingFetch },
        ...remoteHashes(async () => worker),
      }),
    {
      createModel,
      loadShaders,
      compileGrammar: () => Promise.reject(new Error("bench: no grammars")),
    },
    browserPlatform,
    onProgress,
    new AbortController().signal,
  );
  enter("store");
  await model.stored;
  enter("end");
  model.dispose();
  worker.terminate();
  return { ...count, stages };
}

/** @returns how fast these entries can be read, four at a time, in bytes per millisecond */
export async function measureStore(keys: readonly string[]): Promise<number> {
  const store = browserPlatform.openStore(STORE) as ByteStore;
  const begin = performance.now();
  let next = 0;
  let bytes = 0;
  const read = async () => {
    while (next < keys.length) bytes += (await store.get(keys[next++] as string))?.length ?? 0;
  };
  await Promise.all([read(), read(), read(), read()]);
  return bytes / (performance.now() - begin);
}
