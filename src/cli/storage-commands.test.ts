import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { safetensors } from "../../tests/checkpoint.ts";
import { type HubServer, commitOf, startHub } from "../../tests/hub-server.ts";
import { memoryGpu, readMemory } from "../../tests/memory-gpu.ts";
import { tensorsOf } from "../gpu/weight.ts";
import { openNodeStore } from "../platform/node-store.ts";
import { STORE } from "../weights/cache.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import { GpuWeights } from "../weights/gpu-weights.ts";
import type { StoredCheckpoint } from "../weights/stored-checkpoints.ts";
import { listHubModels } from "./hub-models.ts";
import { openModel } from "./open-model.ts";
import { listCommand, removeCommand } from "./storage-commands.ts";

const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
const WEIGHTS = safetensors({
  a: { dtype: "BF16", shape: [3000], data: new Uint8Array(6000) },
  b: { dtype: "F32", shape: [1], data: new Uint8Array(4) },
});
const model = (seed: number) => ({
  "config.json": json({ model_type: "tiny", seed }),
  "tokenizer.json": json({ version: "1.0" }),
  "model.safetensors": WEIGHTS,
});

let hub: HubServer;
let home: string;
let cache: string;
let printed: string[];
beforeEach(async () => {
  hub = await startHub({ "org/one": model(1), "org/two": model(2) });
  home = await mkdtemp(join(tmpdir(), "webvlm-storage-"));
  cache = join(home, "hub");
  vi.stubEnv("XDG_CACHE_HOME", home);
  printed = [];
  const print = (line: string) => void printed.push(line);
  vi.spyOn(console, "log").mockImplementation(print);
  vi.spyOn(console, "error").mockImplementation(print);
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  await hub.close();
  await rm(home, { recursive: true });
});

const open = (name: string, refresh = false) => {
  const environment = { hub: hub.url, token: undefined, cache, offline: false };
  return openModel(name, { environment, refresh, retryDelayMs: 1 });
};

test("an empty cache has no models", async () => {
  expect(await listCommand({}, { cache })).toBe(0);
  expect(printed[0]).toMatch(/^No model is stored\.\n\n0 B in .*, and [\d.]+ .B are free\.$/);
});

test("lists each model: its revision, format, size and last use", async () => {
  await open("org/one");
  const commit = commitOf(hub.repositories["org/one"]!);
  await listCommand({ json: true }, { cache });
  const [one] = JSON.parse(printed[0]!) as unknown[];
  const size = Object.values(model(1)).reduce((sum, { length }) => sum + length, 0);
  const day = new Date().toISOString().slice(0, 10);
  const lastUsed = expect.stringContaining(day);
  const sizes = { storedBytes: size, totalBytes: size };
  expect(one).toMatchObject({
    id: "org/one",
    revision: commit,
    storedAs: ["BF16", "F32"],
    ...sizes,
    lastUsed,
  });
  await listCommand({}, { cache });
  expect(printed[1]).toMatch(new RegExp(`org/one +main +BF16, F32 +6\\.\\d KB +${day}`));
});

test("a download that was interrupted is listed with the bytes so far", async () => {
  await open("org/one");
  const blobs = join(cache, "models--org--one", "blobs");
  const before = (await listHubModels(cache))[0]!;
  await writeFile(join(blobs, "abc.incomplete"), new Uint8Array(500));
  const [after] = await listHubModels(cache);
  expect(after?.storedBytes).toBe(before.storedBytes + 500);
});

test("deletes the named models and no other", async () => {
  await open("org/one");
  await open("org/two");
  expect(await removeCommand(["org/one"], {}, { cache })).toBe(0);
  expect(printed[0]).toMatch(/^deleted org\/one: 6\.\d KB$/);
  expect((await readdir(cache)).filter((name) => name !== ".locks")).toEqual(["models--org--two"]);
  await expect(removeCommand(["org/none"], {}, { cache })).rejects.toThrow("org/none: not on this");
  await expect(removeCommand([], {}, { cache })).rejects.toThrow("--all");
});

/** Loads a repository on a device that keeps what is written, and stores the weights as they are there. */
async function start(name: string) {
  const checkpoint = await open(name);
  const dispatches = { count: 0 };
  const weights = new GpuWeights(memoryGpu(dispatches), checkpoint, { quantization: "q8" });
  const matrix = weights.matrix("m");
  const files = new Set<string>();
  async function* stream(options: Parameters<Checkpoint["stream"]>[0]) {
    for await (const piece of checkpoint.stream(options)) {
      files.add(piece.file.replace(/:.*/, ""));
      yield piece;
    }
  }
  await weights.load({ ...checkpoint, stream });
  await weights.store(checkpoint, new AbortController().signal);
  const content = [...tensorsOf(matrix)].map((tensor) => Buffer.from(readMemory(tensor)));
  return { content, packs: dispatches.count, files: [...files] };
}

test("a second start reads the packed weights alone; they are listed, and deleted with the model", async () => {
  const [O, D] = [64, 96];
  const data = Uint8Array.from({ length: O * D * 2 }, (_, i) => (i % 2 ? 0x3f : i % 127));
  const weights = safetensors({ m: { dtype: "BF16", shape: [O, D], data } });
  hub.repositories["org/one"] = { ...model(1), "model.safetensors": weights };
  const first = await start("org/one");
  expect([first.packs > 0, first.files]).toEqual([true, ["model.safetensors"]]);
  hub.requests.length = 0;
  expect(await start("org/one")).toEqual({ ...first, packs: 0, files: ["packed"] });
  expect(hub.requests).toEqual([]);

  const list = async () => {
    printed = [];
    await listCommand({ json: true }, { cache });
    return JSON.parse(printed[0]!) as StoredCheckpoint[];
  };
  const revision = commitOf(hub.repositories["org/one"]);
  const bytes = first.content.reduce((sum, { length }) => sum + length, 0);
  expect(await list()).toMatchObject([
    { id: "org/one", revision, storedAs: ["BF16"] },
    { id: "org/one", revision, storedAs: ["q8"], storedBytes: bytes, totalBytes: bytes },
  ]);
  await removeCommand(["org/one"], {}, { cache });
  expect(await list()).toEqual([]);
  expect(await openNodeStore(STORE).keys()).toEqual([]);
});

test("deletes all only when it is confirmed", async () => {
  await open("org/one");
  await open("org/two");
  expect(await removeCommand([], { all: true }, { cache })).toBe(1);
  expect(printed[0]).toContain("2 models");
  expect((await readdir(cache)).filter((name) => name !== ".locks")).toHaveLength(2);
  expect(await removeCommand([], { all: true, yes: true }, { cache })).toBe(0);
  expect((await readdir(cache)).filter((name) => name !== ".locks")).toEqual([]);
});

test("a refresh downloads what has changed, and only that", async () => {
  await open("org/one");
  hub.repositories["org/one"] = model(9);
  expect((await open("org/one")).files["config.json"]).toMatchObject({ seed: 1 });
  hub.requests.length = 0;
  expect((await open("org/one", true)).files["config.json"]).toMatchObject({ seed: 9 });
  const bytes = hub.requests.filter(({ range }) => range?.endsWith(`-${WEIGHTS.length - 1}`));
  expect(bytes).toEqual([]);
  const revisions = (await listHubModels(cache)).map(({ id }) => id);
  expect(revisions).toEqual(["org/one", "org/one"]);
});
