import { afterEach, beforeEach, expect } from "vitest";
import { nodeHash } from "../src/platform/node-hash.ts";
import { type Checkpoint, type OpenOptions, openCheckpoint } from "../src/weights/checkpoint.ts";
import { resolveSource } from "../src/weights/source.ts";
import { type StoredTensor, safetensors } from "./checkpoint.ts";
import { type HubServer, startHub } from "./hub-server.ts";
import { random } from "./support.ts";

/** Bytes of a chunk, in tests of loading. */
export const CHUNK = 100_000;
export const NAME = "org/model";
export const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

export function tensor(elements: number, seed: number): StoredTensor {
  const data = new Uint8Array(random(elements, seed).buffer);
  return { dtype: "F32", shape: [elements], data };
}

export const SMALL = {
  "config.json": encode({ model_type: "test" }),
  "tokenizer.json": encode({ version: "1.0" }),
  "chat_template.jinja": new TextEncoder().encode("{{ messages }}"),
};
export const WEIGHTS = safetensors({ a: tensor(90_000, 1), b: tensor(50_001, 2) });
export const SHARDS = {
  "model-00001-of-00002.safetensors": safetensors({ a: tensor(60_000, 1) }),
  "model-00002-of-00002.safetensors": safetensors({ b: tensor(40_000, 2), c: tensor(10, 3) }),
};
export const INDEX = {
  a: "model-00001-of-00002.safetensors",
  b: "model-00002-of-00002.safetensors",
  c: "model-00002-of-00002.safetensors",
};

/** The hub of the running test. */
export let hub: HubServer;

/** Starts a hub with a model for each test of a file. */
export function startHubs(): void {
  beforeEach(async () => {
    hub = await startHub({ [NAME]: { ...SMALL, "model.safetensors": WEIGHTS } });
  });
  afterEach(() => hub.close());
}

export function open(options: OpenOptions = {}, source = NAME): Promise<Checkpoint> {
  const defaults = { hash: nodeHash, chunkBytes: CHUNK, retries: 3, sleep: async () => {} };
  return openCheckpoint(resolveSource(source, { hub: hub.url }), { ...defaults, ...options });
}

export const openFolder = (options: OpenOptions = {}) =>
  open(options, `${hub.url}/folders/${NAME}`);

export async function drain(pieces: AsyncIterable<unknown>): Promise<void> {
  const rest = pieces[Symbol.asyncIterator]();
  while (!(await rest.next()).done);
}

/** Reads all weights, and checks that they come in order and without a gap. */
export async function read(
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

export const isWhole = (actual: Uint8Array | undefined, expected: Uint8Array) =>
  actual !== undefined && Buffer.compare(actual, expected) === 0;

/** The ranges of weights, as [begin, end], that were requested after the headers. */
export function rangesAsked(): [number, number][] {
  return hub.requests
    .filter(({ path }) => /^\/(cdn|folders)\/.*\.safetensors/.test(path))
    .map(({ range = "" }) => /bytes=(\d+)-(\d+)/.exec(range)?.slice(1).map(Number) ?? [])
    .map(([begin = -1, last = -1]): [number, number] => [begin, last + 1])
    .filter(([, end]) => end > 8 && end !== headerEnd(WEIGHTS));
}

const headerEnd = (file: Uint8Array) =>
  8 + Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));

export const offline: typeof fetch = async () => {
  throw new TypeError("Failed to fetch");
};

/** Delivers `afterBytes` bytes of weights in all, then fails, and fails from then on. */
export function dying(afterBytes: number): typeof fetch {
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
