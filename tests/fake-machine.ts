import { expect } from "vitest";
import type { GeneratedToken, GenerationInput, Sampling } from "../src/engine/generation.ts";
import { KvCache } from "../src/engine/kv-cache.ts";
import { Request } from "../src/engine/request.ts";
import { Scheduler } from "../src/engine/scheduler.ts";
import { FakeDecoder, VOCABULARY } from "./fake-decoder.ts";
import { memoryGpu } from "./memory-gpu.ts";

export const GREEDY: Sampling = { temperature: 0, topK: 0, topP: 1, minP: 0, seed: 0 };
const SHAPE = { hidden_size: 4, num_hidden_layers: 1, num_key_value_heads: 1, head_dim: 4 };

export interface Machine {
  readonly pages?: number;
  readonly sequences?: number;
  readonly queueLength?: number;
  /** Awaited by everything that takes time on a GPU. */
  readonly wait?: () => Promise<void>;
  /** Awaited before each image. */
  readonly beforeImage?: () => Promise<void>;
  readonly check?: () => void;
}

/** A request of a schedule. */
export interface Wanted {
  readonly input: GenerationInput;
  /** Keys of its image rows: the first of the prompt. */
  readonly images: readonly number[];
  /** What is in the ring of cross-attention keys while it runs. */
  readonly ring: number;
}

export const wantedOf = (input: Partial<GenerationInput>, more: Partial<Wanted> = {}): Wanted => ({
  input: {
    ids: [1, 2, 3],
    images: [],
    maxTokens: 8,
    stopTokenIds: [],
    sampling: GREEDY,
    ...input,
  },
  images: [],
  ring: 0,
  ...more,
});

/** A scheduler over a fake decoder. */
export function machineOf({
  pages = 64,
  sequences = 8,
  queueLength = 64,
  wait = async () => {},
  beforeImage = wait,
  check = () => {},
}: Machine = {}) {
  const gpu = memoryGpu();
  const cache = new KvCache(gpu, SHAPE, pages * 64, { sequences: sequences + 2 });
  const decoder = new FakeDecoder(gpu, cache, wait);
  const wanted = new WeakMap<Request, Wanted>();
  const ringOf = (request: Request) => (wanted.get(request) as Wanted).ring;
  let encoding = 0;
  let number = 0;
  const scheduler = new Scheduler(
    {
      decoder,
      cache,
      generatedRows: (request) => {
        const ring = ringOf(request);
        return { ropeOffset: 3, ...(ring > 0 && { crossFirst: ring, crossLast: 100 }) };
      },
      async encodeImages(request, computed) {
        expect(++encoding).toBe(1);
        try {
          for (const [i, key] of (wanted.get(request) as Wanted).images.entries()) {
            await beforeImage();
            request.signal.throwIfAborted();
            if (i >= computed) decoder.imageStates[i] = key;
          }
        } finally {
          encoding--;
        }
      },
      hasRoomForImages: (request, others) =>
        [...others].every(
          (other) =>
            [ringOf(other), ringOf(request)].includes(0) || ringOf(other) === ringOf(request),
        ),
      check,
      passesDone: wait,
    },
    sequences,
    queueLength,
  );
  const requestOf = (one: Wanted): Request => {
    const { ids } = one.input;
    const tokens = ids.map((id, i) => (i < one.images.length ? VOCABULARY + i : id));
    const contents = ids.map((id, i) => (i < one.images.length ? `image ${one.images[i]}` : id));
    const range = { crossFirst: one.ring, crossLast: 100, afterImage: true };
    const crossAttention = one.ring > 0 ? ids.map(() => range) : undefined;
    const request = new Request(
      one.input,
      {
        rows: { tokens, crossAttention },
        contents: contents.map((content) => (one.ring ? `${content} ${one.ring}` : content)),
      },
      one.input.maxTokens,
      number++,
    );
    wanted.set(request, one);
    return request;
  };
  async function* generate(one: Wanted): AsyncGenerator<GeneratedToken, void, void> {
    const request = requestOf(one);
    scheduler.add(request);
    try {
      for (let token = await request.next(); token; token = await request.next()) yield token;
    } finally {
      await scheduler.end(request);
    }
  }
  const run = async (one: Wanted, most = Infinity): Promise<Outcome> => {
    const tokens: GeneratedToken[] = [];
    try {
      for await (const token of generate(one)) if (tokens.push(token) >= most) break;
    } catch (error) {
      return { tokens, error: String(error) };
    }
    return { tokens };
  };
  return { cache, decoder, scheduler, generate, run };
}

export interface Outcome {
  readonly tokens: readonly GeneratedToken[];
  readonly error?: string;
}
