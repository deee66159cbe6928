import { createHash } from "node:crypto";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { memoryStore } from "../../tests/checkpoint.ts";
import {
  CHUNK,
  NAME,
  WEIGHTS,
  dying,
  hub,
  isWhole,
  offline,
  open,
  rangesAsked,
  read,
  startHubs,
} from "../../tests/hub-checkpoint.ts";
import { exposeHashes } from "./hash-service.ts";
import { remoteHashes } from "./remote-hash.ts";

startHubs();

const SHA256 = createHash("sha256").update(WEIGHTS).digest("hex");

interface Entry {
  readonly file: Blob;
  readonly origins: unknown;
}

/** The proposal's behaviour: files by their hash, which is verified when a writer closes. */
class FakeStorage {
  readonly entries = new Map<string, Entry>();
  /** Writers that were neither closed nor aborted. */
  open = 0;
  capacityBytes = Infinity;

  async requestFileHandle(
    { algorithm, value }: { algorithm: string; value: string },
    { create = false, origins }: { create?: boolean; origins?: unknown } = {},
  ): Promise<unknown> {
    if (algorithm !== "SHA-256" || !/^[0-9a-f]{64}$/.test(value)) throw new TypeError("hash");
    const entry = this.entries.get(value);
    if (!entry && !create) throw new DOMException("no such file", "NotFoundError");
    return {
      getFile: async () => this.entries.get(value)!.file,
      createWritable: async () => this.#writer(value, origins),
    };
  }

  #writer(value: string, origins: unknown): unknown {
    const parts: Uint8Array<ArrayBuffer>[] = [];
    this.open++;
    return {
      write: async (bytes: Uint8Array<ArrayBuffer>) => {
        parts.push(bytes.slice());
        const size = parts.reduce((sum, { length }) => sum + length, 0);
        if (size > this.capacityBytes) throw new DOMException("full", "QuotaExceededError");
      },
      abort: async () => void this.open--,
      close: async () => {
        this.open--;
        const hash = createHash("sha256");
        for (const part of parts) hash.update(part);
        if (hash.digest("hex") !== value) throw new DOMException("another hash", "DataError");
        this.entries.set(value, { file: new Blob(parts), origins });
      },
    };
  }
}

let storage: FakeStorage;
let ports: MessagePort[];
beforeEach(() => {
  storage = new FakeStorage();
  ports = [];
  vi.stubGlobal("navigator", { crossOriginStorage: storage });
});
afterEach(() => {
  vi.unstubAllGlobals();
  for (const port of ports) port.close();
});

/** What a page's worker passes to `openCheckpoint`. */
const files = () =>
  remoteHashes(async () => {
    const { port1, port2 } = new MessageChannel();
    ports.push(port1, port2);
    exposeHashes(port2);
    return port1;
  });

test("the first site writes a file for all others, which download nothing", async () => {
  await read(await open({ ...files(), store: memoryStore() }));
  expect([...storage.entries.keys()]).toEqual([SHA256]);
  expect(storage.entries.get(SHA256)?.origins).toBe("*");
  expect(
    isWhole(new Uint8Array(await storage.entries.get(SHA256)!.file.arrayBuffer()), WEIGHTS),
  ).toBe(true);

  hub.requests.length = 0;
  const store = memoryStore();
  const other = await read(await open({ ...files(), store }));
  expect(other.networkBytes).toBe(0);
  expect(rangesAsked()).toEqual([]);
  expect(isWhole(other.files["model.safetensors"], WEIGHTS)).toBe(true);
  // It has a copy of its own from now on.
  storage.entries.clear();
  expect((await read(await open({ ...files(), store, fetch: offline }))).networkBytes).toBe(0);
  expect(storage.open).toBe(0);
});

test("a file that needs a token is for the same site only", async () => {
  hub.faults.token = "secret";
  await read(await open({ ...files(), store: memoryStore(), token: "secret" }));
  expect(storage.entries.get(SHA256)).toMatchObject({ origins: undefined });
});

test("a file in part is neither written nor taken for whole", async () => {
  const store = memoryStore();
  const broken = await open({ ...files(), store, fetch: dying(350_000), connections: 1 });
  await expect(read(broken)).rejects.toThrow("is kept");
  expect(storage.entries.size).toBe(0);
  // What is stored already is written, too, once the rest has come.
  await read(await open({ ...files(), store }));
  expect([...storage.entries.keys()]).toEqual([SHA256]);
});

test("a damaged download is not written before it is mended", async () => {
  let draws = 0;
  // Two requests for the header come first.
  hub.faults.draw = () => (++draws === 3 ? { corruptByte: 50_000 } : {});
  const { files: weights } = await read(await open({ ...files(), store: memoryStore() }));
  expect(isWhole(weights["model.safetensors"], WEIGHTS)).toBe(true);
  expect([...storage.entries.keys()]).toEqual([SHA256]);
  expect(storage.open).toBe(0);
});

test("a file that the browser deletes while it is read is downloaded from there on", async () => {
  let reads = 0;
  const file = new Blob([WEIGHTS]);
  const slice = (begin: number, end: number) => ({
    arrayBuffer: () =>
      ++reads > 2
        ? Promise.reject(new DOMException("gone", "NotReadableError"))
        : file.slice(begin, end).arrayBuffer(),
  });
  const findShared = async () => ({ size: file.size, slice }) as unknown as Blob;
  const options = { ...files(), findShared, store: memoryStore(), connections: 1 };
  const { files: weights, networkBytes } = await read(await open(options));
  expect(isWhole(weights["model.safetensors"], WEIGHTS)).toBe(true);
  expect(networkBytes).toBe(WEIGHTS.length - 2 * CHUNK);
});

test("a full disk, and `cache: false`, leave nothing behind", async () => {
  storage.capacityBytes = 250_000;
  const full = await read(await open({ ...files(), store: memoryStore() }));
  expect(isWhole(full.files["model.safetensors"], WEIGHTS)).toBe(true);
  storage.capacityBytes = Infinity;
  await read(await open({ ...files(), store: memoryStore(), cache: false }));
  expect([storage.entries.size, storage.open]).toEqual([0, 0]);
});

test("the same file of another repository is found, too", async () => {
  await read(await open({ ...files(), store: memoryStore() }));
  hub.repositories["org/other"] = hub.repositories[NAME]!;
  const other = await read(await open({ ...files(), store: memoryStore() }, "org/other"));
  expect(other.networkBytes).toBe(0);
});
