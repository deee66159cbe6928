import { type ChildProcess, spawn } from "node:child_process";
import { randomFillSync } from "node:crypto";
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Plugin, build } from "esbuild";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { safetensors } from "../../tests/checkpoint.ts";
import { type HubServer, commitOf, startHub } from "../../tests/hub-server.ts";

/** Real processes, which may be killed. */

const NAME = "org/model";
const CHUNK = 8 << 20;
const CONNECTIONS = 4;
/** The headers of weight files, which each process reads. */
const HEADER_BYTES = 1000;

const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
const repository = (bytes: number): Record<string, Uint8Array> => ({
  "config.json": json({ model_type: "tiny" }),
  "tokenizer.json": json({ version: "1.0" }),
  "model.safetensors": safetensors({
    a: { dtype: "U8", shape: [bytes], data: randomFillSync(new Uint8Array(bytes)) },
  }),
});

/** What Vite does with `import text from "./a.wgsl?raw"`. */
const rawFiles: Plugin = {
  name: "raw-files",
  setup(bundle) {
    bundle.onResolve({ filter: /\?raw$/ }, ({ path, resolveDir }) => {
      return { path: join(resolveDir, path.slice(0, -"?raw".length)), namespace: "raw" };
    });
    bundle.onLoad({ filter: /./, namespace: "raw" }, async ({ path }) => {
      return { contents: await readFile(path, "utf8"), loader: "text" };
    });
  },
};

const PULL =
  'import { pullCommand } from "./storage-commands.ts";\n' +
  "process.exit(await pullCommand(process.argv[2]));";

/** Loads a model, waits for the file "go", and stores the weights as they lie on the GPU. */
const STORE = `
  import { existsSync } from "node:fs";
  import { setTimeout as sleep } from "node:timers/promises";
  import { memoryGpu } from "../../tests/memory-gpu.ts";
  import { GpuWeights } from "../weights/gpu-weights.ts";
  import { openModel } from "./open-model.ts";
  const [, , name, go] = process.argv;
  const checkpoint = await openModel(name);
  const dispatches = { count: 0 };
  const weights = new GpuWeights(memoryGpu(dispatches), checkpoint, { quantization: "q4" });
  weights.matrix("a");
  await weights.load(checkpoint);
  console.log("loaded");
  while (!existsSync(go)) await sleep(1);
  let bundles = 0;
  const write = (...args) => (bundles++, checkpoint.packed.write(...args));
  const counted = { ...checkpoint, packed: { ...checkpoint.packed, write } };
  await weights.store(counted, new AbortController().signal);
  console.log(JSON.stringify({ packs: dispatches.count, bundles }));
  process.exit(0);
`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "webvlm-processes-"));
  await Promise.all([bundle("pull", PULL), bundle("store", STORE)]);
});

async function bundle(name: string, contents: string): Promise<void> {
  await build({
    stdin: { contents, resolveDir: import.meta.dirname, loader: "ts" },
    outfile: join(folder, `${name}.mjs`),
    ...{ bundle: true, platform: "node", format: "esm", target: "node20" },
    ...{ plugins: [rawFiles], logLevel: "error" },
  });
}
afterAll(() => rm(folder, { recursive: true }));

let hub: HubServer;
let home: string;
let running: ChildProcess[];
beforeEach(async () => {
  hub = await startHub({});
  home = await mkdtemp(join(folder, "home-"));
  running = [];
});
afterEach(async () => {
  for (const child of running) child.kill("SIGKILL");
  await hub.close();
});

interface Started {
  readonly child: ChildProcess;
  /** Resolves when it has ended. */
  readonly ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
}

/** Starts `webvlm pull`. */
const pull = (): Started => start("pull");

function start(script: string, ...args: string[]): Started {
  const env = { ...process.env, HF_HOME: home, HF_HUB_CACHE: join(home, "hub") };
  const child = spawn(process.execPath, [join(folder, `${script}.mjs`), NAME, ...args], {
    env: { ...env, HF_ENDPOINT: hub.url, HF_TOKEN: "", XDG_CACHE_HOME: home },
  });
  running.push(child);
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (text: Buffer) => (stdout += String(text)));
  child.stderr.on("data", (text: Buffer) => (stderr += String(text)));
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  return { child, ended: ended.then((code) => ({ code, stdout, stderr })) };
}

const root = () => join(home, "hub", "models--org--model");

/** @returns the size of the file that a download has begun; 0 before it has */
async function begunBytes(): Promise<number> {
  const blobs = join(root(), "blobs");
  const names = await readdir(blobs).catch(() => []);
  const partial = names.find((name) => name.endsWith(".incomplete"));
  return partial ? stat(join(blobs, partial)).then(({ size }) => size) : 0;
}

async function expectWhole(): Promise<void> {
  const files = hub.repositories[NAME]!;
  const path = join(root(), "snapshots", commitOf(files), "model.safetensors");
  expect(Buffer.compare(await readFile(path), files["model.safetensors"]!)).toBe(0);
  const blobs = await readdir(join(root(), "blobs"));
  expect(blobs.filter((name) => !/^[0-9a-f]+$/.test(name))).toEqual([]);
}

test.each([0, 100, 300])("of two processes %i ms apart, one downloads", async (ms) => {
  const files = (hub.repositories[NAME] = repository(2.5 * CHUNK));
  hub.faults.pieceDelayMs = 2;
  const first = pull();
  await sleep(ms);
  for (const { ended } of [first, pull()]) {
    expect(await ended).toMatchObject({ code: 0, stdout: expect.stringContaining(NAME) });
  }
  await expectWhole();
  const size = files["model.safetensors"]!.length;
  expect(hub.sentBytes).toBeGreaterThanOrEqual(size);
  expect(hub.sentBytes).toBeLessThan(size + HEADER_BYTES);
});

test("after a process was killed, the next one loses a chunk per connection at most", async () => {
  const files = (hub.repositories[NAME] = repository(9.5 * CHUNK));
  hub.faults.pieceDelayMs = 1;
  const killed = pull();
  await expect.poll(begunBytes, { timeout: 50_000, interval: 5 }).toBeGreaterThanOrEqual(CHUNK);
  // Another waits meanwhile, and goes on by itself.
  const next = pull();
  const kept = await begunBytes();
  killed.child.kill("SIGKILL");
  await killed.ended;
  const before = hub.requests.length;
  expect(await next.ended).toMatchObject({ code: 0, stdout: expect.stringContaining(NAME) });
  await expectWhole();
  const size = files["model.safetensors"]!.length;
  const lost = hub.sentBytes - size;
  expect(lost).toBeLessThanOrEqual(CONNECTIONS * CHUNK + HEADER_BYTES);
  const begins = hub.requests
    .slice(before)
    .map(({ range }) => Number(/\d+/.exec(range ?? "")?.[0]));
  expect(Math.min(...begins.filter((begin) => begin > HEADER_BYTES))).toBeGreaterThanOrEqual(kept);
});

test("of two processes that store the same packed weights at once, one does", async () => {
  const [O, D] = [4096, 1024];
  const data = randomFillSync(new Uint8Array(O * D * 4));
  hub.repositories[NAME] = {
    ...repository(1),
    "model.safetensors": safetensors({ a: { dtype: "F32", shape: [O, D], data } }),
  };
  const go = join(home, "go");
  const both = [start("store", go), start("store", go)];
  const loaded = both.map(({ child }) => new Promise((end) => child.stdout!.once("data", end)));
  await Promise.all(loaded);
  await writeFile(go, "");
  const results = await Promise.all(both.map(({ ended }) => ended));
  const last = (stdout: string) => JSON.parse(stdout.trim().split("\n").at(-1)!) as unknown;
  const stored = results.map(({ stdout }) => last(stdout) as { packs: number; bundles: number });
  expect(stored.map(({ packs }) => packs > 0)).toEqual([true, true]);
  expect(stored.map(({ bundles }) => bundles).sort()).toEqual([0, 1]);
  const { stdout } = await start("store", go).ended;
  expect(last(stdout)).toEqual({ packs: 0, bundles: 0 });
});
