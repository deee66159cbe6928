import { createHash } from "node:crypto";
import {
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  readlink,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type StoredTensor, safetensors } from "../../tests/checkpoint.ts";
import { UNPACKED } from "../../tests/goldens/paths.ts";
import { type HubServer, commitOf, readFolder, startHub } from "../../tests/hub-server.ts";
import type { Checkpoint } from "../weights/checkpoint.ts";
import { findSnapshot } from "./hub-cache.ts";
import type { HubEnvironment } from "./hub-environment.ts";
import { openModel } from "./open-model.ts";

const NAME = "org/tiny";
const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

function tensor(length: number, seed: number): StoredTensor {
  const data = Uint8Array.from({ length: length * 4 }, (_, i) => (i * 31 + seed) % 251);
  return { dtype: "F32", shape: [length], data };
}

const WEIGHTS = { a: tensor(50_000, 1), b: tensor(3, 2) };

function singleFile(): Record<string, Uint8Array> {
  return {
    "config.json": json({ model_type: "tiny" }),
    "tokenizer.json": json({ version: "1.0" }),
    "tokenizer_config.json": json({ chat_template: "" }),
    "model.safetensors": safetensors(WEIGHTS),
  };
}

function shards(): Record<string, Uint8Array> {
  const small = singleFile();
  delete small["model.safetensors"];
  const [one, two] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
  return {
    ...small,
    [one as string]: safetensors({ a: WEIGHTS.a }),
    [two as string]: safetensors({ b: WEIGHTS.b }),
    "model.safetensors.index.json": json({ weight_map: { a: one, b: two } }),
  };
}

let hub: HubServer;
let cache: string;
beforeEach(async () => {
  hub = await startHub({ [NAME]: singleFile() });
  cache = await mkdtemp(join(tmpdir(), "webvlm-hub-"));
});
afterEach(async () => {
  await hub.close();
  await rm(cache, { recursive: true });
});

const environment = (more: Partial<HubEnvironment> = {}): HubEnvironment => {
  return { hub: hub.url, token: undefined, cache, offline: false, ...more };
};
const open = (more: Partial<HubEnvironment> = {}, model = NAME, weights = true) =>
  openModel(model, { environment: environment(more), weights, retryDelayMs: 1 });
const repository = (revision = "main") => ({ hub: hub.url, name: NAME, revision });
const at = (...path: string[]) => join(cache, "models--org--tiny", ...path);
const weightRequests = () => hub.requests.filter(({ path }) => path.includes(".safetensors"));

const hashed = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** @returns the hashes of the streamed tensors */
async function read(checkpoint: Checkpoint): Promise<Record<string, string>> {
  const files = new Map<string, Uint8Array[]>();
  for await (const { file, bytes } of checkpoint.stream()) {
    files.set(file, [...(files.get(file) ?? []), bytes.slice()]);
  }
  const whole = new Map([...files].map(([file, parts]) => [file, Buffer.concat(parts)]));
  const tensors = [...checkpoint.tensors].map(([name, { file, begin, end }]) => {
    return [name, hashed((whole.get(file) as Buffer).subarray(begin, end))];
  });
  return Object.fromEntries(tensors) as Record<string, string>;
}

const EXPECTED = { a: hashed(WEIGHTS.a.data), b: hashed(WEIGHTS.b.data) };

test.each([
  ["one file", singleFile],
  ["shards", shards],
])("%s: downloaded in the Python client's layout, read from there ever after", async (_, files) => {
  const content = (hub.repositories[NAME] = files());
  const first = await open();
  expect(first.id).toBe(NAME);
  expect(first.files["config.json"]).toEqual({ model_type: "tiny" });
  expect(await read(first)).toEqual(EXPECTED);

  const commit = commitOf(content);
  expect(await readFile(at("refs", "main"), "utf8")).toBe(commit);
  const folder = at("snapshots", commit);
  expect((await readdir(folder)).sort()).toEqual(Object.keys(content).sort());
  for (const [name, bytes] of Object.entries(content)) {
    expect(await readlink(join(folder, name))).toMatch(/^\.\.\/\.\.\/blobs\/[0-9a-f]{40,64}$/);
    expect(Buffer.compare(await readFile(join(folder, name)), bytes)).toBe(0);
  }
  expect(await readdir(at(".no_exist", commit))).toContain("chat_template.jinja");
  expect((await readdir(at("blobs"))).filter((name) => !/^[0-9a-f]+$/.test(name))).toEqual([]);

  hub.requests.length = 0;
  expect(await read(await open())).toEqual(EXPECTED);
  expect(await read(await open({ offline: true }))).toEqual(EXPECTED);
  expect(await read(await open({}, `${NAME}@${commit}`))).toEqual(EXPECTED);
  expect(hub.requests).toEqual([]);
});

/** Writes what the Python client leaves after a download of `singleFile()`. */
async function writeSnapshot(commit: string): Promise<void> {
  await mkdir(at("blobs"), { recursive: true });
  await mkdir(at("snapshots", commit), { recursive: true });
  await mkdir(at("refs"), { recursive: true });
  await writeFile(at("refs", "main"), commit);
  for (const [i, [name, bytes]] of Object.entries(singleFile()).entries()) {
    await writeFile(at("blobs", `${i}`), bytes);
    await symlink(`../../blobs/${i}`, at("snapshots", commit, name));
  }
}

test("a small file that a snapshot lacks is downloaded, without a request for weights", async () => {
  const content = { ...singleFile(), "generation_config.json": json({ top_k: 5 }) };
  hub.repositories[NAME] = content;
  await writeSnapshot(commitOf(content));
  expect((await open()).files["generation_config.json"]).toEqual({ top_k: 5 });
  expect(weightRequests()).toEqual([]);
  hub.requests.length = 0;
  expect((await open()).files["generation_config.json"]).toEqual({ top_k: 5 });
  expect(hub.requests).toEqual([]);
});

test("files that the Python client downloaded are used, although it records no missing files", async () => {
  await writeSnapshot(commitOf(singleFile()));
  expect(await findSnapshot(cache, { repository: repository() })).toMatchObject({
    complete: false,
  });
  expect(await read(await open({ offline: true }))).toEqual(EXPECTED);
  await hub.close();
  expect(await read(await open())).toEqual(EXPECTED);
  hub = await startHub({});
});

test("an interrupted download is resumed and verified", async () => {
  const total = (hub.repositories[NAME]?.["model.safetensors"] as Uint8Array).length;
  const begun = 70_000;
  const content = singleFile()["model.safetensors"] as Uint8Array;
  await open({}, NAME, false); // to learn nothing: without weights nothing is kept
  expect(await readdir(cache)).toEqual([]);
  await open();
  const [blob] = (await readdir(at("blobs"))).filter((name) => name.length === 64);
  await rm(at("blobs", blob as string));
  await writeFile(at("blobs", `${blob}.incomplete`), content.subarray(0, begun));

  hub.requests.length = 0;
  expect(await read(await open())).toEqual(EXPECTED);
  const ranges = weightRequests().map(({ range }) => range);
  expect(ranges).toContain(`bytes=${begun}-${total - 1}`);
  expect(ranges).not.toContain(`bytes=0-${total - 1}`);
});

test("a partial file with wrong bytes is downloaded again", async () => {
  await open();
  const [blob] = (await readdir(at("blobs"))).filter((name) => name.length === 64);
  await rm(at("blobs", blob as string));
  await writeFile(at("blobs", `${blob}.incomplete`), new Uint8Array(1000));
  expect(await read(await open())).toEqual(EXPECTED);
});

test.each([0, 30, 100])("of two downloads %i ms apart, one waits for the other", async (ms) => {
  hub.faults.pieceDelayMs = 20;
  const waits: string[] = [];
  const load = async (delay: number) => {
    await new Promise((resolve) => setTimeout(resolve, delay));
    return openModel(NAME, {
      environment: environment(),
      onDownload: ({ stage }) => void (stage === "waiting" && waits.push(stage)),
    });
  };
  for (const checkpoint of await Promise.all([load(0), load(ms)]))
    expect(await read(checkpoint)).toEqual(EXPECTED);
  expect(waits.length).toBeLessThanOrEqual(1);
  const bodies = weightRequests().filter(({ path, range = "" }) => {
    return path.startsWith("/cdn") && Number(range.split("-")[1]) > 10_000;
  });
  expect(bodies).toHaveLength(1);
  expect((await readdir(at("blobs"))).filter((name) => !/^[0-9a-f]+$/.test(name))).toEqual([]);
});

test("a file that arrived damaged once is mended", async () => {
  let draws = 0;
  // Two requests for the header come first.
  hub.faults.draw = () => (++draws === 3 ? { corruptByte: 100_000 } : {});
  expect(await read(await open())).toEqual(EXPECTED);
});

test("a damaged file is not stored under its name", async () => {
  hub.faults.corruptByte = 100_000;
  await expect(open()).rejects.toThrow("arrived damaged");
  expect((await readdir(at("blobs"))).filter((name) => name.length >= 64)).toEqual([]);
  expect(await findSnapshot(cache, { repository: repository() })).toBeUndefined();
  hub.faults.corruptByte = undefined;
  expect(await read(await open())).toEqual(EXPECTED);
});

describe("GGUF files", () => {
  const [Q4, MMPROJ] = ["TinySmolVLM-Q4_K_M.gguf", "mmproj-TinySmolVLM-Q8_0.gguf"];
  const model = `${NAME}:Q4_K_M`;
  const requested = () => hub.requests.filter(({ path }) => path.includes(".gguf"));
  beforeEach(() => {
    const files = readFolder(`${UNPACKED}/gguf/smolvlm`);
    // A repository has many; those that are meant are downloaded.
    hub.repositories[NAME] = { ...files, "TinySmolVLM-Q8_0.gguf": files[Q4]! };
  });

  test("are downloaded in the Python client's layout, and read from there ever after", async () => {
    const first = await open({}, model);
    expect(first.id).toBe(model);
    const content = hub.repositories[NAME]!;
    const commit = commitOf(content);
    const folder = at("snapshots", commit);
    expect((await readdir(folder)).sort()).toEqual([Q4, MMPROJ]);
    for (const name of [Q4, MMPROJ]) {
      expect(await readlink(join(folder, name))).toMatch(/^\.\.\/\.\.\/blobs\/[0-9a-f]{40,64}$/);
      expect(Buffer.compare(await readFile(join(folder, name)), content[name]!)).toBe(0);
    }
    expect(await readFile(at("refs", "main"), "utf8")).toBe(commit);
    const tensors = await read(first);
    hub.requests.length = 0;
    expect(await read(await open({}, model))).toEqual(tensors);
    expect(await read(await open({ offline: true }, model))).toEqual(tensors);
    expect(await read(await open({}, `${NAME}@${commit}:Q4_K_M`))).toEqual(tensors);
    expect(hub.requests).toEqual([]);
    const another = open({ offline: true }, `${NAME}:Q8_0`);
    await expect(another).rejects.toThrow(`${NAME}:Q8_0 is not in ${cache}`);
    // What both need is there.
    await open({}, `${NAME}:Q8_0`);
    expect(requested().some(({ path }) => path.includes("TinySmolVLM-Q8_0.gguf"))).toBe(true);
  });

  test("that the Python client downloaded alone are completed with their mmproj file", async () => {
    const content = hub.repositories[NAME]!;
    const commit = commitOf(content);
    await mkdir(at("snapshots", commit), { recursive: true });
    await mkdir(at("refs"), { recursive: true });
    await writeFile(at("refs", "main"), commit);
    await writeFile(at("snapshots", commit, Q4), content[Q4]!);
    expect((await open({}, model)).id).toBe(model);
    expect((await readdir(at("snapshots", commit))).sort()).toEqual([Q4, MMPROJ]);
  });
});

describe("without weights", () => {
  test("headers and small files are read, and nothing is stored", async () => {
    const checkpoint = await open({}, NAME, false);
    expect([...checkpoint.tensors.keys()]).toEqual(["a", "b"]);
    expect(await readdir(cache)).toEqual([]);
  });
});

test("a gated repository needs a token, and gets it", async () => {
  hub.faults.token = "secret";
  await expect(open()).rejects.toThrow("gated");
  expect(await read(await open({ token: "secret" }))).toEqual(EXPECTED);
});

test("offline, a missing repository is reported", async () => {
  await expect(open({ offline: true })).rejects.toThrow(
    `${NAME} is not in ${cache}, and HF_HUB_OFFLINE forbids downloading it`,
  );
  expect(hub.requests).toEqual([]);
});

describe("a folder", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "webvlm model-"));
    for (const [name, bytes] of Object.entries(shards())) {
      await writeFile(join(folder, name), bytes);
    }
  });
  afterEach(() => rm(folder, { recursive: true }));

  test("is read in place", async () => {
    const checkpoint = await open({}, folder);
    expect(folder.endsWith(checkpoint.id)).toBe(true);
    expect(await read(checkpoint)).toEqual(EXPECTED);
    expect(hub.requests).toEqual([]);
  });

  test("that does not exist is reported", async () => {
    await expect(open({}, `${folder}/not`)).rejects.toThrow(
      `The folder ${folder}/not does not exist`,
    );
  });

  test("that is not a checkpoint is reported", async () => {
    await rm(join(folder, "config.json"));
    await expect(open({}, folder)).rejects.toThrow("it needs config.json");
  });
});
