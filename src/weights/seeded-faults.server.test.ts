import { createHash } from "node:crypto";
import { test } from "vitest";
import { memoryStore, safetensors } from "../../tests/checkpoint.ts";
import { type Faults, type HubServer, startHub } from "../../tests/hub-server.ts";
import { random } from "../../tests/support.ts";
import { nodeHash } from "../platform/node-hash.ts";
import { readManifest } from "./cache.ts";
import { type OpenOptions, openCheckpoint } from "./checkpoint.ts";
import { resolveSource } from "./source.ts";

const NAME = "org/model";
const CHUNK = 64 << 10;
const SEEDS = 50;
/** A busy machine must not pass for a dead connection. */
const STALL_MS = 4000;
/** Loads that one model may need: each ends in an error that says what is wrong, and keeps what came. */
const MOST_LOADS = 5;

const json = (value: object) => new TextEncoder().encode(JSON.stringify(value));
const tensor = (count: number, seed: number) => {
  return { dtype: "F32", shape: [count], data: new Uint8Array(random(count, seed).buffer) };
};
const FILES = {
  "config.json": json({ model_type: "test" }),
  "tokenizer.json": json({}),
  "model-1.safetensors": safetensors({ a: tensor(200_000, 1) }),
  "model-2.safetensors": safetensors({ b: tensor(90_000, 2), c: tensor(1, 3) }),
  "model.safetensors.index.json": json({
    weight_map: { a: "model-1.safetensors", b: "model-2.safetensors", c: "model-2.safetensors" },
  }),
};
const WEIGHTS = Object.entries(FILES).filter(([name]) => name.endsWith(".safetensors"));
const BYTES = WEIGHTS.reduce((sum, [, { length }]) => sum + length, 0);

/** Numbers from 0 to 1, the same for the same seed. */
function dice(seed: number): () => number {
  let i = 0;
  return () => createHash("sha256").update(`${seed} ${i++}`).digest().readUInt32LE(0) / 2 ** 32;
}

/**
 * Faults of single requests. A byte is flipped at most once per seed, because that is rare. A connection
 * hangs at most once in some seeds, because that takes as long as the limit says.
 */
function faultsOf(hub: HubServer, seed: number): () => Faults {
  const roll = dice(seed);
  let flipped = seed % 5 > 0;
  let hung = seed % 5 !== 1;
  return () => {
    const kind = Math.floor(roll() * 16);
    const bytes = Math.floor(roll() * CHUNK);
    if (kind === 0) return { dieAfterBytes: bytes, deaths: 1 };
    if (kind === 1 && !hung) {
      hung = true;
      return { stallAfterBytes: bytes };
    }
    if (kind === 2) return { ignoreRange: true };
    if (kind === 3) {
      const headers = { "Retry-After": "20" };
      hub.faults.refusals = Array.from({ length: 3 }, () => ({
        status: 429,
        headers,
        small: true,
      }));
    }
    if (kind === 4) hub.faults.refusals = Array.from({ length: 2 }, () => ({ status: 503 }));
    if (kind !== 5 || flipped) return {};
    flipped = true;
    return { corruptByte: Math.floor(roll() * BYTES) };
  };
}

// Several at a time: a load mostly waits.
test.concurrent.for(Array.from({ length: SEEDS }, (_, seed) => seed))(
  "seed %i ends with the verified model",
  async (seed, { expect, onTestFinished }) => {
    const hub = await startHub({ [NAME]: FILES });
    onTestFinished(() => hub.close());
    const store = memoryStore();
    let received = 0;
    const counted: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      if (!String(input).endsWith(".safetensors") || !response.body) return response;
      const count = new TransformStream<Uint8Array, Uint8Array>({
        transform(bytes, controller) {
          received += bytes.length;
          controller.enqueue(bytes);
        },
      });
      const { status, headers } = response;
      return new Response(response.body.pipeThrough(count), { status, headers });
    };
    const options: OpenOptions = {
      ...{
        store,
        hash: nodeHash,
        fetch: counted,
        chunkBytes: CHUNK,
        stallMs: STALL_MS,
        sleep: async () => {},
      },
    };
    hub.faults.draw = faultsOf(hub, seed);
    const source = resolveSource(NAME, { hub: hub.url });
    const read: Record<string, Uint8Array> = {};
    for (let loads = 1; ; loads++) {
      try {
        const checkpoint = await openCheckpoint(source, options);
        for await (const { file, begin, bytes } of checkpoint.stream()) {
          if (begin === 0) read[file] = new Uint8Array();
          read[file] = Buffer.concat([read[file] ?? new Uint8Array(), bytes]);
        }
        break;
      } catch (error) {
        expect(String(error)).toMatch(/load again|damaged/i);
        expect((await readManifest(store, source.folder))?.complete ?? false).toBe(false);
        expect(loads).toBeLessThan(MOST_LOADS);
      }
    }
    for (const [name, bytes] of WEIGHTS) expect(Buffer.compare(read[name]!, bytes), name).toBe(0);
    expect((await readManifest(store, source.folder))?.complete).toBe(true);
    total += received;
    if (seed % 5 > 0) expect(received).toBeLessThan(1.2 * BYTES);
  },
);

let total = 0;
test("all loads together take less than 1.2 times the bytes", ({ expect }) => {
  expect(total).toBeGreaterThan(SEEDS * BYTES);
  expect(total).toBeLessThan(1.2 * SEEDS * BYTES);
});
