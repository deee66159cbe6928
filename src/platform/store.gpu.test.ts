import { createStore, keys, set } from "idb-keyval";
import { beforeEach, describe, expect, test } from "vitest";
import { openStore } from "./store.ts";

const NAME = "store-test";

describe("openStore", () => {
  beforeEach(async () => {
    const store = openStore(NAME);
    await store?.delete(await store.keys());
  });

  test("stores bytes until they are deleted, for every later opener", async () => {
    const store = openStore(NAME);
    await store?.set("a", new Uint8Array([1, 2, 3]));
    await store?.set("b", new Uint8Array([4]));
    const again = openStore(NAME);
    expect(await again?.get("a")).toEqual(new Uint8Array([1, 2, 3]));
    expect((await again?.keys())?.sort()).toEqual(["a", "b"]);
    await again?.delete(["a", "missing"]);
    expect(await store?.get("a")).toBeUndefined();
    expect(await store?.keys()).toEqual(["b"]);
  });

  test("stores the bytes of a view, not its whole buffer", async () => {
    const store = openStore(NAME);
    await store?.set("view", new Uint8Array(1 << 16).fill(7).subarray(100, 104));
    const kept = await store?.get("view");
    expect(kept).toEqual(new Uint8Array([7, 7, 7, 7]));
    expect(kept?.buffer.byteLength).toBe(4);
  });

  test("a lock is held by one at a time, and another may stop waiting", async () => {
    const [one, two] = [openStore(NAME), openStore(NAME)];
    const unlock = await one?.lock?.("a", {});
    (await two?.lock?.("b", {}))?.();
    const waits: unknown[] = [];
    const stop = new AbortController();
    const onWait = (wait?: object) => void waits.push(wait);
    const stopped = two?.lock?.("a", { signal: stop.signal, onWait });
    const waiting = two?.lock?.("a", { onWait });
    await expect.poll(() => waits).toEqual([{}, {}]);
    stop.abort();
    await expect(stopped).rejects.toBe(stop.signal.reason);
    unlock?.();
    (await waiting)?.();
    expect(waits).toEqual([{}, {}, undefined]);
    // Those that share it wait for the others only.
    const shared = [
      await one?.lock?.("a", { shared: true }),
      await two?.lock?.("a", { shared: true }),
    ];
    const alone = one?.lock?.("a", { onWait });
    await expect.poll(() => waits).toHaveLength(4);
    for (const end of shared) end?.();
    (await alone)?.();
    expect(waits.slice(3)).toEqual([{}, undefined]);
  });

  test("a worker stores long entries in files, and pages read and delete them", async () => {
    const store = openStore(NAME)!;
    const long = new Uint8Array(100_000).map((_, i) => i);
    // As an earlier version has stored it.
    await set("old", long, createStore(NAME, "bytes"));
    await set("replaced", long, createStore(NAME, "bytes"));
    const worker = new Worker(new URL("../../tests/store-worker.ts", import.meta.url), {
      type: "module",
    });
    const run = (method: string, ...args: unknown[]) =>
      new Promise((resolve) => {
        worker.onmessage = ({ data }: MessageEvent<unknown>) => resolve(data);
        worker.postMessage([NAME, method, ...args]);
      });
    await run("set", "a", long);
    await run(
      "set",
      "a",
      long.map((byte) => byte ^ 1),
    );
    await run("set", "replaced", long.subarray(0, 70_000));
    await run("set", "short", long.subarray(0, 10));
    expect((await store.keys()).sort()).toEqual(["a", "old", "replaced", "short"]);
    // No entry is in both.
    expect((await keys(createStore(NAME, "bytes"))).sort()).toEqual(["old", "short"]);
    const root = await navigator.storage.getDirectory();
    const folder = await root.getDirectoryHandle(NAME);
    const files = async () => {
      const names: string[] = [];
      for await (const name of folder.keys()) names.push(name);
      return names;
    };
    expect(await files()).toHaveLength(2);
    expect(await run("get", "old")).toEqual(long);
    for (const read of [store.get, (key: string) => run("get", key)]) {
      expect(await read("a")).toEqual(long.map((byte) => byte ^ 1));
      expect(await read("replaced")).toEqual(long.subarray(0, 70_000));
      expect(await read("short")).toEqual(long.subarray(0, 10));
    }
    await store.delete(await store.keys());
    expect([await store.keys(), await files()]).toEqual([[], []]);
    worker.terminate();
  });

  test("overwrites", async () => {
    const store = openStore(NAME);
    await store?.set("a", new Uint8Array([1]));
    await store?.set("a", new Uint8Array([2]));
    expect(await store?.get("a")).toEqual(new Uint8Array([2]));
  });
});
