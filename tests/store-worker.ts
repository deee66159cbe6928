import type { ByteStore } from "../src/platform/platform.ts";
import { openStore } from "../src/platform/store.ts";

/** Calls a method of a store in a worker: `[name of the store, method, ...arguments]`. */
addEventListener("message", ({ data }: MessageEvent<[string, "get" | "set", ...unknown[]]>) => {
  const [name, method, ...args] = data;
  const store = openStore(name) as ByteStore;
  const call = store[method] as (...args: unknown[]) => Promise<unknown>;
  void call(...args).then((result) => postMessage(result));
});
