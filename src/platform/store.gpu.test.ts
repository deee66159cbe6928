import { clear, createStore } from "idb-keyval";
import { beforeEach, describe, expect, test } from "vitest";
import { openStore } from "./store.ts";

const NAME = "store-test";

describe("openStore", () => {
  beforeEach(() => clear(createStore(NAME, "bytes")));

  test("stores bytes until they are deleted, for every later opener", async () => {
    const store = openStore(NAME);
    await store?.set("a", new Uint8Array([1, 2, 3]));
    await store?.set("b", new Uint8Array([4]));
    const again = openStore(NAME);
    expect(await again?.get("a")).toEqual(new Uint8Array([1, 2, 3]));
    expect(await again?.keys()).toEqual(["a", "b"]);
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
  });

  test("overwrites", async () => {
    const store = openStore(NAME);
    await store?.set("a", new Uint8Array([1]));
    await store?.set("a", new Uint8Array([2]));
    expect(await store?.get("a")).toEqual(new Uint8Array([2]));
  });
});
