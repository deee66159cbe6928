import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type StoredTensor, memoryStore, safetensors } from "../../tests/checkpoint.ts";
import { type HubServer, startHub } from "../../tests/hub-server.ts";
import { random } from "../../tests/support.ts";
import { type Checkpoint, type OpenOptions, openCheckpoint } from "./checkpoint.ts";
import { loadTensors } from "./load-tensors.ts";
import type { Progress } from "./progress.ts";
import type { OnProgress } from "./progress.ts";
import { InterruptedError } from "./retry.ts";
import { resolveSource } from "./source.ts";
import { deleteAllStored, deleteStored, listStored } from "./stored-checkpoints.ts";
import { ChangedError } from "./weight-file.ts";

const CHUNK = 100_000;
const NAME = "org/model";
const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

function tensor(elements: number, seed: number): StoredTensor {
  const data = new Uint8Array(random(elements, seed).buffer);
  return { dtype: "F32", shape: [elements], data };
}

const SMALL = {
  "config.json": encode({ model_type: "test" }),
  "tokenizer.json": encode({ version: "1.0" }),
  "chat_template.jinja": new TextEncoder().encode("{{ messages }}"),
};
const WEIGHTS = safetensors({ a: tensor(90_000, 1), b: tensor(50_001, 2) });
const SHARDS = {
  "model-00001-of-00002.safetensors": safetensors({ a: tensor(60_000, 1) }),
  "model-00002-of-00002.safetensors": safetensors({ b: tensor(40_000, 2), c: tensor(10, 3) }),
};
const INDEX = {
  a: "model-00001-of-00002.safetensors",
  b: "model-00002-of-00002.safetensors",
  c: "model-00002-of-00002.safetensors",
};

let hub: HubServer;
beforeEach(async () => {
  hub = await startHub({ [NAME]: { ...SMALL, "model.safetensors": WEIGHTS } });
});
afterEach(() => hub.close());

function open(options: OpenOptions = {}, source = NAME): Promise<Checkpoint> {
  const defaults = { chunkBytes: CHUNK, retries: 3, sleep: async () => {} };
  return openCheckpoint(resolveSource(source, { hub: hub.url }), { ...defaults, ...options });
}

const openFolder = (options: OpenOptions = {}) => open(options, `${hub.url}/folders/${NAME}`);

async function drain(pieces: AsyncIterable<unknown>): Promise<void> {
  const rest = pieces[Symbol.asyncIterator]();
  while (!(await rest.next()).done);
}

/** Reads all weights, and checks that they come in order and without a gap. */
async function read(
  checkpoint: Checkpoint,
  signal?: AbortSignal,
): Promise<{ files: Record<string, Uint8Array>; networkBytes: number }> {
  const files: Record<string, Uint8Array> = {};
  let networkBytes = 0;
  for await (const { file, begin, bytes, network } of checkpoint.stream({ signal })) {
    // A file that was mended comes again.
    const before = begin > 0 ? (files[file] ?? new Uint8Array()) : new Uint8Array();
    expect(begin).toBe(before.length);
    files[file] = Buffer.concat([before, bytes]);
    if (network) networkBytes += bytes.length;
  }
  return { files, networkBytes };
}

const isWhole = (actual: Uint8Array | undefined, expected: Uint8Array) =>
  actual !== undefined && Buffer.compare(actual, expected) === 0;

/** The ranges of weights, as [begin, end], that were requested after the headers. */
function rangesAsked(): [number, number][] {
  return hub.requests
    .filter(({ path }) => /^\/(cdn|folders)\/.*\.safetensors/.test(path))
    .map(({ range = "" }) => /bytes=(\d+)-(\d+)/.exec(range)?.slice(1).map(Number) ?? [])
    .map(([begin = -1, last = -1]): [number, number] => [begin, last + 1])
    .filter(([, end]) => end > 8 && end !== headerEnd(WEIGHTS));
}

const headerEnd = (file: Uint8Array) =>
  8 + Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));

const offline: typeof fetch = async () => {
  throw new TypeError("Failed to fetch");
};

/** Delivers `afterBytes` bytes of weights in all, then fails, and fails from then on. */
function dying(afterBytes: number): typeof fetch {
  let left = afterBytes;
  return async (input, init) => {
    if (left === 0) return offline(input, init);
    const response = await fetch(input, init);
    const length = Number(response.headers.get("content-length"));
    if (!String(input).endsWith(".safetensors") || length < 1000) return response;
    const reader = response.body!.getReader();
    const body = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const { value } = await reader.read();
          if (!value) return controller.close();
          if (left === 0) return controller.error(new TypeError("network error"));
          controller.enqueue(value.subarray(0, left));
          left -= Math.min(left, value.length);
        },
        cancel: () => reader.cancel(),
      },
      { highWaterMark: 0 },
    );
    return new Response(body, { status: response.status, headers: response.headers });
  };
}

describe("openCheckpoint", () => {
  test("reads the small files and the positions of the tensors", async () => {
    const checkpoint = await open();
    expect(checkpoint.id).toBe(NAME);
    expect(checkpoint.files).toEqual({
      "config.json": { model_type: "test" },
      "tokenizer.json": { version: "1.0" },
      "chat_template.jinja": "{{ messages }}",
    });
    expect([...checkpoint.tensors.keys()]).toEqual(["a", "b"]);
    expect(checkpoint.weightBytes).toBe(140_001 * 4);
    const { files } = await read(checkpoint);
    expect(isWhole(files["model.safetensors"], WEIGHTS)).toBe(true);
  });

  test("reads a folder without requests for files that it need not have", async () => {
    hub.repositories[NAME]!["tokenizer_config.json"] = encode({ chat_template: "…" });
    const checkpoint = await openFolder();
    expect(checkpoint.id).toBe("model");
    expect(isWhole((await read(checkpoint)).files["model.safetensors"], WEIGHTS)).toBe(true);
    const paths = hub.requests.map(({ path }) => path.split("/").at(-1));
    expect(paths).not.toContain("vocab.json");
    expect(paths).not.toContain("model.safetensors.index.json");
  });

  test.each(["hub", "folder"])("reads shards from a %s", async (kind) => {
    hub.repositories[NAME] = {
      ...SMALL,
      ...SHARDS,
      "model.safetensors.index.json": encode({ weight_map: INDEX }),
    };
    const checkpoint = await (kind === "hub" ? open() : openFolder());
    expect([...checkpoint.tensors].map(([name, { file }]) => [name, file])).toEqual(
      Object.entries(INDEX),
    );
    const { files } = await read(checkpoint);
    expect(Object.keys(files)).toEqual(Object.keys(SHARDS));
    for (const [name, file] of Object.entries(SHARDS))
      expect(isWhole(files[name], file)).toBe(true);
  });

  test.each(["hub", "folder"])(
    "reads the chat templates of a %s wherever they are",
    async (kind) => {
      const templates: Record<string, unknown> = {
        "tokenizer_config.json": { chat_template: "tokenizer" },
        "processor_config.json": { chat_template: "processor" },
        "chat_template.json": { chat_template: "legacy" },
        "chat_template.jinja": "plain",
        "additional_chat_templates/tool_use.jinja": "tools",
      };
      for (const [name, content] of Object.entries(templates)) {
        const bytes =
          typeof content === "string" ? Buffer.from(content) : encode(content as object);
        hub.repositories[NAME]![name] = bytes;
      }
      const { files } = await (kind === "hub" ? open() : openFolder());
      expect(files).toMatchObject(templates);
    },
  );

  test.each(["hub", "folder"])("reads a tokenizer of a %s in two files", async (kind) => {
    const files = hub.repositories[NAME]!;
    delete files["tokenizer.json"];
    Object.assign(files, { "vocab.json": encode({ a: 0 }), "merges.txt": Buffer.from("a b\n") });
    const checkpoint = await (kind === "hub" ? open() : openFolder());
    expect(checkpoint.files).toMatchObject({ "vocab.json": { a: 0 }, "merges.txt": "a b\n" });
    delete files["merges.txt"];
    await expect(kind === "hub" ? open() : openFolder()).rejects.toThrow("merges.txt");
  });

  test("reads the numbers that Python writes into JSON", async () => {
    const text = '{"a": [-Infinity, NaN, Infinity], "b": "say \\"NaN\\", Infinity", "c": 1e-6}';
    hub.repositories[NAME]!["config.json"] = Buffer.from(text);
    expect((await open()).files["config.json"]).toEqual({
      a: [-Infinity, NaN, Infinity],
      b: 'say "NaN", Infinity',
      c: 1e-6,
    });
  });

  test("a tensor of two files is that of the file in the index, and absent ones are not missed", async () => {
    const [one, two] = Object.keys(SHARDS) as [string, string];
    const other = tensor(3, 9);
    hub.repositories[NAME] = {
      ...SMALL,
      [one]: safetensors({ a: tensor(4, 1), b: other }),
      [two]: safetensors({ b: tensor(5, 2), a: other }),
      "model.safetensors.index.json": encode({
        weight_map: { a: one, b: two, "mtp.fc.weight": two },
      }),
    };
    const store = memoryStore();
    for (const options of [{}, { store }, { store }]) {
      const checkpoint = await open(options);
      const found = [...checkpoint.tensors].map(([name, { file, shape }]) => [
        name,
        file,
        shape[0],
      ]);
      expect(found.sort()).toEqual([
        ["a", one, 4],
        ["b", two, 5],
      ]);
      await read(checkpoint);
    }
  });

  test("treats an HTML page as a missing file, because servers of one-page apps answer so", async () => {
    const fetchPage: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      if (response.status !== 404) return response;
      return new Response("<!doctype html>", { headers: { "content-type": "text/html" } });
    };
    expect(Object.keys((await openFolder({ fetch: fetchPage })).files)).toHaveLength(3);
    delete hub.repositories[NAME]!["config.json"];
    await expect(openFolder({ fetch: fetchPage })).rejects.toThrow("no transformers checkpoint");
  });

  test.each([
    ["no-such/model", "there is no repository no-such/model at http"],
    ["org/model@v9", 'org/model has no revision "v9": its branches, tags and commits are at http'],
    ["org/empty", "no transformers checkpoint"],
    ["org/no-weights", "model.safetensors.index.json answered"],
    ["org/bad-json", "tokenizer.json is not JSON"],
    ["org/bad-weights", "model.safetensors is no safetensors file"],
    ["org/short", "is damaged"],
    ["org/traversal", '"../../x.safetensors", expected a file name'],
    ["org/adapter", "it is an adapter: merge it into its model"],
    ["org/gguf", "but GGUF files: load org/gguf:Q4_K_M"],
    ["org/twice", "a is in 1.safetensors and in 2.safetensors"],
  ])("the error for %s says what is wrong", async (source, message) => {
    const index = (weight_map: object) => ({
      ...SMALL,
      ...SHARDS,
      "model.safetensors.index.json": encode({ weight_map }),
    });
    const one = safetensors({ a: tensor(1, 1) });
    Object.assign(hub.repositories, {
      "org/empty": { "README.md": encode("") },
      "org/no-weights": SMALL,
      "org/adapter": { "adapter_config.json": encode({}), "adapter_model.bin": one },
      "org/gguf": { ...SMALL, "model-Q4_K_M.gguf": one },
      "org/bad-json": { ...SMALL, "tokenizer.json": Buffer.from("{"), "model.safetensors": one },
      "org/bad-weights": { ...SMALL, "model.safetensors": new Uint8Array(100).fill(255) },
      "org/short": { ...SMALL, "model.safetensors": WEIGHTS.subarray(0, -1) },
      "org/traversal": index({ a: "../../x.safetensors" }),
      "org/twice": {
        ...index({ c: "1.safetensors", b: "2.safetensors" }),
        "1.safetensors": one,
        "2.safetensors": safetensors({ a: tensor(1, 1), b: tensor(1, 1) }),
      },
    });
    await expect(open({}, source)).rejects.toThrow(message);
  });

  test("needs a token for a gated repository, and sends it to hubs only", async () => {
    hub.faults.token = "secret";
    const terms = `accept its terms at ${hub.url}/${NAME}, and load it with a \`token\``;
    await expect(open()).rejects.toThrow(terms);
    await expect(open({ token: "wrong" })).rejects.toThrow(terms);
    expect((await read(await open({ token: "secret" }))).networkBytes).toBe(WEIGHTS.length);
    hub.faults.token = undefined!;
    hub.requests.length = 0;
    await openFolder({ token: "secret" });
    expect(hub.requests.some(({ authorization }) => authorization)).toBe(false);
  });

  test.each([
    [
      401,
      "the hub refuses access: the repository is private or gated, or the `token` is not valid",
    ],
    [403, "the hub refuses access"],
    [500, "the server can't answer at the moment: load again later"],
    [429, "too many requests: the server answers again in about 5 min. Load again then, with a"],
  ])("a hub that answers every request with %i", async (status, message) => {
    const refusing: typeof fetch = async () => new Response(null, { status });
    await expect(open({ fetch: refusing })).rejects.toThrow(message);
    await expect(openFolder({ fetch: refusing })).rejects.toThrow(`(${hub.url}/folders/${NAME}/`);
  });

  test("gives up on a server that can't be reached", async () => {
    const failed = open({ fetch: offline });
    await expect(failed).rejects.toThrow(InterruptedError);
    await expect(failed).rejects.toThrow("can't be reached: check that this device is online");
  });
});

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

describe("faults", () => {
  test.each(["hub", "folder"])("continues where the connection to a %s died", async (kind) => {
    const checkpoint = await (kind === "hub" ? open() : openFolder());
    hub.requests.length = 0;
    Object.assign(hub.faults, { dieAfterBytes: 70_000, deaths: 3 });
    const { files, networkBytes } = await read(checkpoint);
    expect(isWhole(files["model.safetensors"], WEIGHTS)).toBe(true);
    expect(networkBytes).toBe(WEIGHTS.length);
    const ranges = rangesAsked();
    expect(ranges).toHaveLength(6 + 3);
    for (const [begin, end] of ranges) {
      expect(end).toBe(Math.min(Math.ceil((begin + 1) / CHUNK) * CHUNK, WEIGHTS.length));
      expect(begin % CHUNK).toBeLessThanOrEqual(70_000);
    }
    expect(ranges.filter(([begin]) => begin % CHUNK > 0)).toHaveLength(3);
  });

  test("reads four ranges at a time, and passes them on in order", async () => {
    const checkpoint = await open();
    hub.requests.length = 0;
    hub.faults.draw = () => ({ stallAfterBytes: 10 });
    const stop = new AbortController();
    const first = checkpoint.stream({ signal: stop.signal }).next();
    await vi.waitFor(() => expect(rangesAsked()).toHaveLength(4));
    expect(await Promise.race([first, new Promise((r) => setTimeout(r, 20, "none"))])).toBe("none");
    expect(rangesAsked()).toHaveLength(4);
    stop.abort();
    await expect(first).rejects.toBe(stop.signal.reason);
  });

  test("gives up after too many failures, keeps what arrived, and continues from there", async () => {
    const store = memoryStore();
    const broken = await open({ store, fetch: dying(350_000), connections: 1 });
    const failed = read(broken);
    await expect(failed).rejects.toThrow(/Failed to fetch; .* is kept: load again to continue/);
    hub.requests.length = 0;
    const { files, networkBytes } = await read(await open({ store }));
    expect(isWhole(files["model.safetensors"], WEIGHTS)).toBe(true);
    expect(networkBytes).toBe(WEIGHTS.length - 3 * CHUNK);
    expect(Math.min(...rangesAsked().map(([begin]) => begin))).toBe(3 * CHUNK);
  });

  test("waits as long as a busy server says, and reports it", async () => {
    const date = new Date(Date.now() + 90_500).toUTCString();
    const waits = [
      [{ status: 429, headers: { "Retry-After": "300" } }, 300],
      [{ status: 503, headers: { "Retry-After": date } }, 90],
      [{ status: 429, headers: { RateLimit: '"api";r=0;t=123' } }, 123],
      [{ status: 503 }, 4],
      [{ status: 502 }, 8],
    ] as const;
    for (const small of [true, false]) {
      const slept: number[] = [];
      const stages: Progress[] = [];
      const options: OpenOptions = {
        connections: 1,
        sleep: async (ms) => void slept.push(Math.round(ms / 1000)),
        onProgress: (progress) => void stages.push(progress),
      };
      const checkpoint = small ? undefined : await openFolder(options);
      hub.faults.refusals = waits.map(([refusal]) => ({ ...refusal, small }));
      const { files } = await read(checkpoint ?? (await open(options)));
      expect(isWhole(files["model.safetensors"], WEIGHTS)).toBe(true);
      if (small) expect(stages.map(({ stage }) => stage)).toContain("waiting");
      expect(slept.map((seconds, i) => Math.abs(seconds - waits[i]![1]) <= 1)).toEqual(
        waits.map(() => true),
      );
    }
  });

  test("gives up on a server that asks to wait for more than ten minutes", async () => {
    hub.faults.refusals = [{ status: 429, headers: { "Retry-After": "900" }, small: true }];
    await expect(open()).rejects.toThrow("the server answers again in about 15 min");
  });

  test("waits until the browser is online, and goes on at once then", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const events = new EventTarget();
    vi.stubGlobal("addEventListener", events.addEventListener.bind(events));
    vi.stubGlobal("navigator", { onLine: false });
    let online = false;
    const waits: (number | undefined)[] = [];
    const opening = open({
      fetch: (input, init) => (online ? fetch(input, init) : offline(input, init)),
      onProgress: ({ stage, waitSeconds }) => void (stage === "waiting" && waits.push(waitSeconds)),
      sleep: undefined,
    });
    await vi.waitFor(() => expect(waits).toEqual([0.5]));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(waits).toEqual([0.5]);
    online = true;
    events.dispatchEvent(new Event("online"));
    vi.useRealTimers();
    vi.unstubAllGlobals();
    expect((await opening).id).toBe(NAME);
  });

  test("a connection that delivers nothing counts as dead", async () => {
    const checkpoint = await open({ stallMs: 300, retries: 20 });
    hub.faults.stallAfterBytes = 70_000;
    const { files } = await read(checkpoint);
    expect(isWhole(files["model.safetensors"], WEIGHTS)).toBe(true);
    expect(hub.faults.stallAfterBytes).toBeUndefined();
  });

  test("skips the bytes that a server without ranges sends again", async () => {
    hub.faults.ignoreRange = true;
    const store = memoryStore();
    Object.assign(hub.faults, { dieAfterBytes: 350_000, deaths: 1 });
    const { files, networkBytes } = await read(await openFolder({ store }));
    expect(isWhole(files["model.safetensors"], WEIGHTS)).toBe(true);
    expect(networkBytes).toBe(WEIGHTS.length);
    await store.delete((await store.keys()).filter((key) => / (200000|500000)-/.test(key)));
    const again = await read(await openFolder({ store }));
    expect(isWhole(again.files["model.safetensors"], WEIGHTS)).toBe(true);
    expect(again.networkBytes).toBe(CHUNK + WEIGHTS.length - 500_000);
  });

  test.each([{ noListing: false }, { noListing: true }])(
    "deletes a file that does not have the hub's hash (%o)",
    async ({ noListing }) => {
      const store = memoryStore();
      // Without a list of files, the hash comes with the response, unless a redirection hides it.
      const linked: typeof fetch = async (input, init) => {
        const response = await fetch(input, init);
        if (!response.url.includes("/cdn/")) return response;
        const first = await fetch(input, { ...init, redirect: "manual" });
        const headers = new Headers(response.headers);
        headers.set("x-linked-etag", first.headers.get("x-linked-etag") as string);
        await first.body?.cancel();
        return new Response(response.body, { status: response.status, headers });
      };
      Object.assign(hub.faults, { noListing, corruptByte: 333_333 });
      const options = noListing ? { store, fetch: linked } : { store };
      await expect(read(await open(options))).rejects.toThrow(/arrived damaged twice: its SHA/);
      expect([...store.entries.keys()].filter((key) => key.startsWith("chunk"))).toEqual([]);
      hub.faults.corruptByte = undefined;
      const { files } = await read(await open(options));
      expect(isWhole(files["model.safetensors"], WEIGHTS)).toBe(true);
    },
  );

  test.each([
    ["a chunk of this load", undefined],
    ["a chunk of an earlier, unfinished load", dying(350_000)],
  ])("replaces %s that arrived damaged, and passes the file on again", async (_, broken) => {
    const store = memoryStore();
    hub.faults.corruptByte = 50_000;
    const first = await open({ store, connections: 1, ...(broken && { fetch: broken }) });
    const pieces = first.stream();
    await pieces.next();
    hub.faults.corruptByte = undefined;
    let load = first;
    if (broken) {
      await expect(drain(pieces)).rejects.toThrow("is kept");
      load = await open({ store, connections: 1 });
    }
    hub.requests.length = 0;
    const rest = broken ? load.stream() : pieces;
    const begins: number[] = [];
    let file: Uint8Array = new Uint8Array();
    for await (const { begin, bytes } of rest) {
      if (begin === 0) file = new Uint8Array();
      begins.push(begin);
      file = Buffer.concat([file, bytes]);
    }
    expect(isWhole(file, WEIGHTS)).toBe(true);
    const starts = [0, 1, 2, 3, 4, 5].map((i) => i * CHUNK);
    expect(begins).toEqual(broken ? [...starts, ...starts] : [...starts.slice(1), ...starts]);
    // The damaged chunk is the first, and the next one is on its way when the hash is found right.
    const missing = broken ? 3 : 5;
    expect(rangesAsked().length - missing).toBeLessThanOrEqual(2);
    expect((await read(await open({ store, fetch: offline }))).networkBytes).toBe(0);
  });

  test("a flipped byte in the store is found, and only that chunk is fetched again", async () => {
    const store = memoryStore();
    await read(await open({ store }));
    const key = [...store.entries.keys()].find((key) => key.includes(" 200000-")) as string;
    store.entries.get(key)?.fill(7, 77, 78);
    hub.requests.length = 0;
    const { files, networkBytes } = await read(await open({ store }));
    expect(networkBytes).toBe(CHUNK);
    expect(rangesAsked()).toEqual([[200_000, 300_000]]);
    expect(isWhole(files["model.safetensors"], WEIGHTS)).toBe(true);
    expect((await read(await open({ store, fetch: offline }))).networkBytes).toBe(0);
  });

  test("fetches only what is wanted, if that saves much", async () => {
    const store = memoryStore();
    const checkpoint = await open({ store });
    const b = checkpoint.tensors.get("b")!;
    const pieces: number[] = [];
    for await (const { begin } of checkpoint.stream({ wanted: [b] })) pieces.push(begin);
    expect(pieces).toEqual([300_000, 400_000, 500_000]);
    const [listed] = await listStored(store);
    expect(listed?.storedBytes).toBe(listed?.totalBytes);
    const again = await open({ store, fetch: offline });
    for await (const { network } of again.stream({ wanted: [b] })) expect(network).toBe(false);
    // Another model of the same files needs the rest.
    expect((await read(await open({ store }))).networkBytes).toBe(300_000);
  });

  test("goes on with one connection when the server has stopped sending ranges", async () => {
    const checkpoint = await openFolder();
    hub.faults.ignoreRange = true;
    expect(isWhole((await read(checkpoint)).files["model.safetensors"], WEIGHTS)).toBe(true);
  });
});

describe("abort", () => {
  test("rejects with the signal's reason and keeps whole chunks", async () => {
    const store = memoryStore();
    const checkpoint = await open({ store });
    const controller = new AbortController();
    const reason = new Error("enough");
    const pieces: number[] = [];
    const reading = (async () => {
      for await (const { begin } of checkpoint.stream({ signal: controller.signal })) {
        pieces.push(begin);
        if (pieces.length === 2) controller.abort(reason);
      }
    })();
    await expect(reading).rejects.toBe(reason);
    expect(pieces).toEqual([0, CHUNK]);
    hub.requests.length = 0;
    const { networkBytes } = await read(await open({ store }));
    expect(networkBytes).toBeLessThanOrEqual(WEIGHTS.length - 2 * CHUNK);
    expect(Math.min(...rangesAsked().map(([begin]) => begin))).toBeGreaterThanOrEqual(2 * CHUNK);
  });

  test("does not wait for a server that sends nothing", async () => {
    const checkpoint = await open();
    hub.faults.stallAfterBytes = 10;
    const controller = new AbortController();
    const reading = read(checkpoint, controller.signal);
    await vi.waitFor(() => expect(hub.faults.stallAfterBytes).toBeUndefined());
    controller.abort();
    await expect(reading).rejects.toBe(controller.signal.reason);
  });

  test("does not wait for the next retry", async () => {
    const controller = new AbortController();
    const fetchAndAbort: typeof fetch = async (input, init) => {
      setTimeout(() => controller.abort("enough"), 1);
      return offline(input, init);
    };
    const options = {
      fetch: fetchAndAbort,
      signal: controller.signal,
      sleep: undefined,
      retryDelayMs: 1e6,
    };
    await expect(open(options)).rejects.toBe("enough");
  });

  test("an aborted signal opens no checkpoint", async () => {
    await expect(open({ signal: AbortSignal.abort("no") })).rejects.toBe("no");
    expect(hub.requests).toEqual([]);
  });
});
