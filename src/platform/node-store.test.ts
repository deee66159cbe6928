import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openNodeStore } from "./node-store.ts";

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "webvlm-store-"));
  vi.stubEnv("XDG_CACHE_HOME", home);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(home, { recursive: true });
});

/** A long key, a prefix of it, and keys with characters that mean something to file systems. */
const KEYS = [
  `chunk https://hub.example/${"a/b é*".repeat(60)} 0-8388608`,
  `chunk https://hub.example/${"a/b é*".repeat(40)}`,
  "..",
  "../outside",
  "with = ~ and % in it",
];

test("stores bytes by any key, and lists the keys", async () => {
  const store = openNodeStore("test");
  expect(await store.keys()).toEqual([]);
  for (const [i, key] of KEYS.entries()) await store.set(key, Uint8Array.of(i, 1, 2));
  expect((await store.keys()).sort()).toEqual([...KEYS].sort());
  const again = openNodeStore("test");
  for (const [i, key] of KEYS.entries())
    expect(await again.get(key)).toEqual(Uint8Array.of(i, 1, 2));
  expect(await readdir(home)).toEqual(["test"]);
});

test("replaces and deletes", async () => {
  const store = openNodeStore("test");
  await store.set("a", Uint8Array.of(1));
  await store.set("a", Uint8Array.of(2));
  await store.set("b", Uint8Array.of(3));
  expect(await store.get("a")).toEqual(Uint8Array.of(2));
  await store.delete(["a", "not there"]);
  expect(await store.get("a")).toBeUndefined();
  expect(await store.keys()).toEqual(["b"]);
});

test("stores of different names are separate", async () => {
  await openNodeStore("one").set("a", Uint8Array.of(1));
  expect(await openNodeStore("two").get("a")).toBeUndefined();
});
