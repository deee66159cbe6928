import { createHash } from "node:crypto";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type MemoryStore, memoryStore, safetensors } from "../../tests/checkpoint.ts";
import { type HubServer, startHub } from "../../tests/hub-server.ts";
import { memoryGpu, readMemory } from "../../tests/memory-gpu.ts";
import { random } from "../../tests/support.ts";
import { folderFiles } from "../cli/folder-files.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { tensorsOf } from "../gpu/weight.ts";
import { nodeHash } from "../platform/node-hash.ts";
import type { ByteStore } from "../platform/platform.ts";
import { type Checkpoint, openCheckpoint } from "./checkpoint.ts";
import type { Quantization } from "./choose-format.ts";
import { GpuWeights } from "./gpu-weights.ts";
import { openFolder } from "./open-folder.ts";
import type { Progress } from "./progress.ts";
import { resolveSource } from "./source.ts";
import { deleteStored, listStored } from "./stored-checkpoints.ts";

const NAME = "org/model";
const CHUNK = 16 << 10;
const LAYERS = 12;

const json = (value: object) => new TextEncoder().encode(JSON.stringify(value));
const f32 = (seed: number, ...shape: number[]) => {
  const values = random(
    shape.reduce((product, size) => product * size, 1),
    seed,
  );
  return { dtype: "F32", shape, data: new Uint8Array(values.buffer) };
};
const layers = Array.from({ length: LAYERS }, (_, i) => `model.layers.${i}`);
const tensors = {
  "model.embed_tokens.weight": f32(1, 300, 96),
  ...Object.fromEntries(layers.map((name, i) => [`${name}.mlp.weight`, f32(i, 40, 96)])),
  ...Object.fromEntries(layers.map((name, i) => [`${name}.norm.weight`, f32(i, 96)])),
  "model.norm.weight": f32(7, 7),
};
const FILES = {
  "config.json": json({ model_type: "test" }),
  "tokenizer.json": json({}),
  "model.safetensors": safetensors(tensors),
};

let hub: HubServer;
let store: MemoryStore;
beforeEach(async () => {
  hub = await startHub({ [NAME]: FILES });
  store = memoryStore();
});
afterEach(() => hub.close());

interface Loaded {
  /** The hash of all matrices and vectors. */
  readonly hash: string;
  /** Of those on the GPU. */
  readonly gpuBytes: number;
  readonly packs: number;
  readonly readBytes: number;
  readonly last: Progress | undefined;
  readonly checkpoint: Checkpoint;
  readonly weights: GpuWeights;
}

/** Loads all weights from a checkpoint. */
async function fill(checkpoint: Checkpoint, quantization: Quantization): Promise<Loaded> {
  const dispatches = { count: 0 };
  const weights = new GpuWeights(memoryGpu(dispatches), checkpoint, { quantization });
  const owned: [string, Tensor][] = [];
  for (const name of Object.keys(tensors)) {
    const made = name.includes("norm") ? [weights.vector(name)] : tensorsOf(weights.matrix(name));
    for (const tensor of made) owned.push([tensor.label, tensor]);
  }
  let readBytes = 0;
  let last: Progress | undefined;
  const counted = {
    ...checkpoint,
    async *stream(options: Parameters<Checkpoint["stream"]>[0]) {
      for await (const piece of checkpoint.stream(options)) {
        readBytes += piece.bytes.length;
        yield piece;
      }
    },
  };
  await weights.load(counted, { onProgress: (progress) => (last = progress) });
  const hash = createHash("sha256");
  for (const [, tensor] of owned) hash.update(readMemory(tensor));
  const gpuBytes = owned.reduce((sum, [, tensor]) => sum + readMemory(tensor).length, 0);
  return {
    ...{ hash: hash.digest("hex"), gpuBytes, packs: dispatches.count },
    ...{ readBytes, last, checkpoint, weights },
  };
}

async function load(
  quantization: Quantization,
  kept: ByteStore = store,
  chunkBytes = CHUNK,
): Promise<Loaded> {
  const options = { hash: nodeHash, store: kept, chunkBytes, sleep: async () => {} };
  const source = resolveSource(NAME, { hub: hub.url });
  return fill(await openCheckpoint(source, options), quantization);
}

/** Loads, and stores what was loaded. */
async function loadAndStore(quantization: Quantization, kept: ByteStore = store): Promise<Loaded> {
  const loaded = await load(quantization, kept);
  await loaded.weights.store(loaded.checkpoint, new AbortController().signal);
  return loaded;
}

const kinds = () => new Set([...store.entries.keys()].map((key) => key.split(" ")[0]));

describe("weights that are stored as they lie on the GPU", () => {
  test("are all that the next start reads, without the network and without a quantizer", async () => {
    const first = await loadAndStore("q4");
    expect(first.packs).toBeGreaterThan(0);
    expect(kinds()).toEqual(new Set(["manifest", "file", "used", "packed", "part"]));
    hub.requests.length = 0;
    const second = await load("q4");
    expect(second.hash).toBe(first.hash);
    expect(second.packs).toBe(0);
    expect(second.readBytes).toBe(first.gpuBytes);
    expect(second.last).toMatchObject({ networkBytes: 0, loadedBytes: first.gpuBytes });
    expect(hub.requests).toEqual([]);
    const [listed, ...others] = await listStored(store);
    expect(others).toEqual([]);
    const sizes = { storedBytes: first.gpuBytes, totalBytes: first.gpuBytes };
    expect(listed).toMatchObject({ id: NAME, storedAs: ["q4"], ...sizes });
    await deleteStored(store, NAME);
    expect(store.entries.size).toBe(0);
  });

  test("are stored without a look at all keys for each bundle", async () => {
    const loaded = await load("q4", store, CHUNK / 8);
    const keys = vi.spyOn(store, "keys");
    await loaded.weights.store(loaded.checkpoint, new AbortController().signal);
    const bundles = [...store.entries.keys()].filter((key) => key.startsWith("packed "));
    expect(bundles.length).toBeGreaterThan(1);
    expect(keys).toHaveBeenCalledTimes(2); // For the bundles, and for the checkpoint's own chunks.
  });

  test("are stored by one of two tabs, after both have loaded, and by a later one waited for", async () => {
    await load("q4"); // The checkpoint's own files.
    hub.requests.length = 0;
    const written: string[] = [];
    const counted: ByteStore = {
      ...store,
      set: (key, bytes) => (written.push(key), store.set(key, bytes)),
    };
    const [one, two] = await Promise.all([load("q4", counted), load("q4", counted)]);
    const storing = [one, two].map(({ weights, checkpoint }) =>
      weights.store(checkpoint, new AbortController().signal),
    );
    const late = await load("q4", counted);
    expect([late.packs, late.hash]).toEqual([0, one.hash]);
    await Promise.all(storing);
    const parts = written.filter((key) => key.startsWith("part "));
    expect(parts.length).toBeGreaterThan(1);
    expect(new Set(parts).size).toBe(parts.length);
    expect(hub.requests.filter(({ path }) => path.includes("safetensors"))).toEqual([]);
  });

  test("are not stored where that would save no room", async () => {
    await loadAndStore("f32");
    expect(kinds()).toEqual(new Set(["manifest", "file", "used", "chunk"]));
  });

  test("survive a kill after any write or deletion", async () => {
    const { hash, gpuBytes } = await loadAndStore("q4");
    store.entries.clear();
    await load("q4"); // The checkpoint's own files.
    const downloaded = new Map(store.entries);
    hub.requests.length = 0;
    for (let steps = 0, alive = false; !alive; steps++) {
      store.entries.clear();
      for (const [key, kept] of downloaded) store.entries.set(key, kept);
      let left = steps;
      const dying: ByteStore = {
        ...store,
        set: async (key, kept) => void (left-- > 0 && (await store.set(key, kept))),
        delete: async (keys) => void (keys.length > 0 && left-- > 0 && (await store.delete(keys))),
      };
      await loadAndStore("q4", dying);
      alive = left > 0;
      const next = await loadAndStore("q4");
      expect(next.hash, `killed at ${steps}`).toBe(hash);
      const again = await load("q4");
      expect([again.packs, again.readBytes]).toEqual([0, gpuBytes]);
      expect(again.hash).toBe(hash);
    }
    // Nothing was needed anew of the server.
    expect(hub.requests.filter(({ path }) => path.includes("safetensors"))).toEqual([]);
  });

  test("are packed again when a byte of them is damaged", async () => {
    const { hash } = await loadAndStore("q4");
    const [key = "", part] = [...store.entries].find(([name]) => name.startsWith("part "))!;
    store.entries.set(
      key,
      part.map((byte, i) => (i === 1000 ? byte ^ 1 : byte)),
    );
    const mended = await loadAndStore("q4");
    expect(mended.hash).toBe(hash);
    expect(mended.packs).toBeGreaterThan(0);
    const last = await load("q4");
    expect([last.packs, last.hash]).toEqual([0, hash]);
  });

  test("are not read where they are damaged and can't be deleted", async () => {
    const { hash } = await loadAndStore("q4");
    const [key = "", part] = [...store.entries].find(([name]) => name.startsWith("part "))!;
    store.entries.set(key, part.fill(0, 1000, 1100));
    store.delete = () => Promise.reject(new Error("the disk is read-only"));
    const mended = await load("q4");
    expect(mended.hash).toBe(hash);
    expect(mended.packs).toBeGreaterThan(0);
  });

  test("another format is downloaded again, said so, and both are kept", async () => {
    const q4 = await loadAndStore("q4");
    const q8 = await loadAndStore("q8");
    expect(q8.last?.storedAs).toEqual(["q4"]);
    expect(q8.last?.networkBytes).toBeGreaterThan(0);
    hub.requests.length = 0;
    for (const [format, { hash }] of [
      ["q4", q4],
      ["q8", q8],
    ] as const) {
      const again = await load(format);
      expect([again.packs, again.last?.networkBytes, again.last?.storedAs]).toEqual([
        0,
        0,
        undefined,
      ]);
      expect(again.hash).toBe(hash);
    }
    expect(hub.requests).toEqual([]);
    expect((await listStored(store))[0]?.storedAs.toSorted()).toEqual(["q4", "q8"]);
  });

  test("give way to another format when the disk is full", async () => {
    await loadAndStore("q8");
    const q8Bytes = (await listStored(store))[0]!.storedBytes;
    const room = FILES["model.safetensors"].length + 0.7 * q8Bytes;
    const full: ByteStore = {
      ...store,
      async freeBytes() {
        let free = room;
        for (const [key, { length }] of store.entries)
          if (/^(part|chunk)/.test(key)) free -= length;
        return free;
      },
    };
    await loadAndStore("q4", full);
    expect((await listStored(store))[0]?.storedAs).toEqual(["q4"]);
    // A disk that has room for the checkpoint's files alone keeps those.
    const crammed = { ...full, freeBytes: async () => (await full.freeBytes!())! - 0.6 * q8Bytes };
    await loadAndStore("q8", crammed);
    expect((await listStored(store))[0]?.storedAs).toEqual(["F32"]);
  });

  test("are forgotten when the files changed on the server", async () => {
    await loadAndStore("q4");
    const file = safetensors({ ...tensors, "model.norm.weight": f32(8, 7) });
    hub.repositories[NAME] = { ...FILES, "model.safetensors": file };
    const source = resolveSource(NAME, { hub: hub.url });
    await openCheckpoint(source, { store, chunkBytes: CHUNK, revalidate: true });
    expect(kinds()).toEqual(new Set(["manifest", "file", "used"]));
  });

  test("of a folder on the disk are stored elsewhere, and its files stay", async () => {
    const folder = await mkdtemp(join(tmpdir(), "webvlm-packed-"));
    try {
      for (const [name, bytes] of Object.entries(FILES)) await writeFile(join(folder, name), bytes);
      const read: string[] = [];
      const open = async () => {
        const files = await folderFiles(folder, NAME);
        const readRange: typeof files.readRange = (name, begin, end) => {
          read.push(name);
          return files.readRange(name, begin, end);
        };
        const packed = { store, folder: "file:///snapshot/", commit: "abc" };
        return openFolder({ ...files, readRange }, { packed });
      };
      const checkpoint = await open();
      const first = await fill(checkpoint, "q8");
      await first.weights.store(checkpoint, new AbortController().signal);
      const again = await open();
      read.length = 0;
      const second = await fill(again, "q8");
      expect([second.packs, second.readBytes, read.length]).toEqual([0, first.gpuBytes, 0]);
      expect(second.hash).toBe(first.hash);
      const [listed] = await listStored(store);
      expect(listed).toMatchObject({ id: NAME, revision: "abc", storedBytes: first.gpuBytes });
      expect((await readdir(folder)).sort()).toEqual(Object.keys(FILES).sort());
      const kept = await readFile(join(folder, "model.safetensors"));
      expect(kept.equals(FILES["model.safetensors"])).toBe(true);
      await deleteStored(store, NAME);
      expect(store.entries.size).toBe(0);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
