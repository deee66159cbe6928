import { describe, expect, test, vi } from "vitest";
import { memoryStore, safetensors } from "../../tests/checkpoint.ts";
import {
  CHUNK,
  NAME,
  WEIGHTS,
  dying,
  encode,
  hub,
  isWhole,
  offline,
  open,
  openFolder,
  rangesAsked,
  read,
  startHubs,
  tensor,
} from "../../tests/hub-checkpoint.ts";
import { loadTensors } from "./load-tensors.ts";
import type { OnProgress } from "./progress.ts";
import { InterruptedError } from "./retry.ts";
import { deleteAllStored, deleteStored, listStored } from "./stored-checkpoints.ts";
import { ChangedError } from "./weight-file.ts";

startHubs();

describe("cache", () => {
  test.each(["hub", "folder"])("the second load of a %s needs no network", async (kind) => {
    const store = memoryStore();
    const openIt = kind === "hub" ? open : openFolder;
    expect((await read(await openIt({ store }))).networkBytes).toBe(WEIGHTS.length);
    const again = await openIt({ store, fetch: offline });
    expect(again.files["config.json"]).toEqual({ model_type: "test" });
    const { files, networkBytes } = await read(again);
    expect(networkBytes).toBe(0);
    expect(isWhole(files["model.safetensors"], WEIGHTS)).toBe(true);
  });

  test("cache: false does not touch the store", async () => {
    const store = memoryStore();
    await read(await open({ store, cache: false }));
    expect(store.entries.size).toBe(0);
  });

  test("fetches only missing chunks", async () => {
    const store = memoryStore();
    await read(await open({ store }));
    const chunks = (await store.keys()).filter((key) => key.startsWith("chunk"));
    expect(chunks).toHaveLength(Math.ceil(WEIGHTS.length / CHUNK));
    await store.delete(chunks.filter((key) => / (100000|200000|400000)-/.test(key)));
    hub.requests.length = 0;
    const { files, networkBytes } = await read(await open({ store }));
    expect(rangesAsked().sort(([a], [b]) => a - b)).toEqual([
      [100_000, 200_000],
      [200_000, 300_000],
      [400_000, 500_000],
    ]);
    expect(networkBytes).toBe(300_000);
    expect(isWhole(files["model.safetensors"], WEIGHTS)).toBe(true);
    await read(await open({ store, fetch: offline }));
  });

  test("a chunk that is too short is fetched again", async () => {
    const store = memoryStore();
    await read(await open({ store }));
    const key = [...store.entries.keys()].find((key) => key.includes(" 200000-")) as string;
    store.entries.set(key, new Uint8Array(5));
    const { files, networkBytes } = await read(await open({ store }));
    expect(networkBytes).toBe(CHUNK);
    expect(isWhole(files["model.safetensors"], WEIGHTS)).toBe(true);
  });

  test.each(["hub", "folder"])(
    "deletes the chunks of a file that changed in a %s",
    async (kind) => {
      const store = memoryStore();
      const openIt = kind === "hub" ? open : openFolder;
      const broken = openIt({ store, fetch: dying(350_000), connections: 1 });
      await expect(read(await broken)).rejects.toThrow(InterruptedError);
      expect([...store.entries.keys()].filter((key) => key.startsWith("chunk"))).toHaveLength(3);
      const changed = safetensors({ a: tensor(90_000, 7), b: tensor(50_001, 8) });
      hub.repositories[NAME]!["model.safetensors"] = changed;
      const { files, networkBytes } = await read(await openIt({ store }));
      expect(networkBytes).toBe(changed.length);
      expect(isWhole(files["model.safetensors"], changed)).toBe(true);
      const chunks = (await store.keys()).filter((key) => key.startsWith("chunk"));
      expect(chunks).toHaveLength(Math.ceil(WEIGHTS.length / CHUNK));
    },
  );

  test("refuses a file that changed since it was opened, and never mixes two versions", async () => {
    const store = memoryStore();
    const checkpoint = await openFolder({ store });
    const changed = safetensors({ a: tensor(90_000, 7), b: tensor(50_001, 8) });
    hub.repositories[NAME]!["model.safetensors"] = changed;
    await expect(read(checkpoint)).rejects.toThrow(ChangedError);
    const { files } = await read(await openFolder({ store }));
    expect(isWhole(files["model.safetensors"], changed)).toBe(true);
  });

  test("revalidate: asks whether a complete checkpoint changed", async () => {
    const store = memoryStore();
    await read(await open({ store }));
    hub.requests.length = 0;
    expect((await read(await open({ store, revalidate: true }))).networkBytes).toBe(0);
    // A commit that changes other files keeps the weights.
    hub.repositories[NAME]!["config.json"] = encode({ model_type: "new" });
    const newer = await open({ store, revalidate: true });
    expect(newer.files["config.json"]).toEqual({ model_type: "new" });
    expect((await read(newer)).networkBytes).toBe(0);
    const kept = await open({ store, revalidate: true, fetch: offline });
    expect(kept.files["config.json"]).toEqual({ model_type: "new" });
  });

  test("of two loads at once, one downloads and the other waits", async () => {
    const store = memoryStore();
    hub.faults.pieceDelayMs = 1;
    const waits: (boolean | undefined)[] = [];
    const load = async () => {
      const checkpoint = await open({ store });
      const onWait = (wait?: object) => void waits.push(wait !== undefined);
      const pieces: Uint8Array[] = [];
      for await (const { bytes } of checkpoint.stream({ onWait })) pieces.push(bytes);
      return Buffer.concat(pieces);
    };
    for (const file of await Promise.all([load(), load()]))
      expect(isWhole(file, WEIGHTS)).toBe(true);
    expect(waits).toEqual([true, false]);
    expect(rangesAsked()).toHaveLength(6);
    const { files } = await read(await open({ store, fetch: offline }));
    expect(isWhole(files["model.safetensors"], WEIGHTS)).toBe(true);
  });

  test("when the first of two loads ends early, the second continues", async () => {
    const store = memoryStore();
    const [one, two] = [await open({ store, connections: 1 }), await open({ store })];
    const pieces = one.stream();
    await pieces.next();
    const second = read(two);
    await pieces.next();
    await pieces.return();
    const { files, networkBytes } = await second;
    expect(isWhole(files["model.safetensors"], WEIGHTS)).toBe(true);
    expect(networkBytes).toBeLessThanOrEqual(WEIGHTS.length - 2 * CHUNK);
  });

  test("continues without the store when it is full, and says so once", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const store = memoryStore(250_000);
    const { files } = await read(await open({ store }));
    expect(isWhole(files["model.safetensors"], WEIGHTS)).toBe(true);
    expect(warn).toHaveBeenCalledTimes(1);
    const again = await read(await open({ store }));
    expect(isWhole(again.files["model.safetensors"], WEIGHTS)).toBe(true);
    expect(again.networkBytes).toBeLessThan(WEIGHTS.length);
    warn.mockRestore();
  });

  test("is told when the store is full in mid-download", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const checkpoint = await open({ store: memoryStore(250_000) });
    expect(checkpoint.storing?.()).toBe(true);
    const told: (boolean | undefined)[] = [];
    const onProgress: OnProgress = ({ stored }) => told.push(stored);
    const wanted = Array.from(checkpoint.tensors, ([name, info]) => {
      return { name, info, rows: 1, write: async () => {} };
    });
    await loadTensors(checkpoint, wanted, { onProgress });
    expect(told[0]).toBeUndefined();
    expect(told.at(-1)).toBe(false);
    expect((await open({ store: memoryStore(), cache: false })).storing).toBeUndefined();
    warn.mockRestore();
  });

  test("refuses a download that the disk has no room for, and keeps what is stored", async () => {
    let free = Infinity;
    const store = { ...memoryStore(), freeBytes: async () => free };
    await read(await open({ store }));
    hub.repositories["org/other"] = hub.repositories[NAME]!;
    free = 400_000;
    const refused = await open({ store }, "org/other");
    hub.requests.length = 0;
    await expect(read(refused)).rejects.toThrow(
      "org/other: 0.6 MB are to be stored, and there is room for 0.4 MB: delete models",
    );
    await expect(read(refused)).rejects.toMatchObject({ name: "StorageFullError" });
    expect(hub.requests).toEqual([]);
    expect((await read(await open({ store, fetch: offline }))).networkBytes).toBe(0);
    const unstored = await read(await open({ store, cache: false }, "org/other"));
    expect(unstored.networkBytes).toBe(WEIGHTS.length);
  });

  test("tells when a checkpoint was used last, the last used first", async () => {
    const store = memoryStore();
    hub.repositories["org/other"] = hub.repositories[NAME]!;
    const now = vi.spyOn(Date, "now");
    for (const [ms, name] of [
      [1000, NAME],
      [2000, "org/other"],
      [3000, NAME],
    ] as const) {
      now.mockReturnValue(ms);
      await read(await open({ store }, name));
    }
    now.mockRestore();
    const used = (await listStored(store)).map(({ id, lastUsed }) => [id, lastUsed?.getTime()]);
    expect(used).toEqual([
      [NAME, 3000],
      ["org/other", 2000],
    ]);
    await deleteAllStored(store);
    expect(await store.keys()).toEqual([]);
  });

  test("lists and deletes", async () => {
    const store = memoryStore();
    hub.repositories["org/other"] = hub.repositories[NAME]!;
    await read(await open({ store }));
    await open({ store }, "org/other");
    const totalBytes = WEIGHTS.length;
    const revision = expect.stringMatching(/^[0-9a-f]{40}$/);
    const both = { revision, storedAs: ["F32"], totalBytes, lastUsed: expect.any(Date) };
    const listed = await listStored(store);
    expect(listed.sort((a, b) => a.id.localeCompare(b.id))).toMatchObject([
      { id: NAME, storedBytes: totalBytes, ...both },
      { id: "org/other", storedBytes: 0, ...both },
    ]);
    await deleteStored(store, NAME);
    expect(await listStored(store)).toMatchObject([{ id: "org/other" }]);
    expect([...store.entries.keys()].every((key) => key.includes("org/other"))).toBe(true);
  });
});
