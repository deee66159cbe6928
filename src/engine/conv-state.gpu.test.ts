import { beforeAll, describe, expect, test } from "vitest";
import {
  type Golden,
  GREEDY,
  buildEngine,
  caseOf,
  openEngine,
  openGolden,
  requestOf,
} from "../../tests/golden.ts";
import { statesByPosition } from "../../tests/replay.ts";
import { expectClose, testGpu } from "../../tests/support.ts";
import type { Gpu } from "../gpu/device.ts";
import { bufferOf } from "../gpu/tensor.ts";
import type { Model } from "../models/model.ts";
import { PAGE_TOKENS, convStateRows } from "../ops/cache.ts";
import type { GpuWeights } from "../weights/gpu-weights.ts";
import type { Engine, EngineOptions } from "./engine.ts";
import type { GenerationInput } from "./generation.ts";
import { KvCache, kvBytesPerToken } from "./kv-cache.ts";

let gpu: Gpu;
let golden: Golden;
let model: Model;
let weights: GpuWeights;
let engine: Engine;
/** Caches nothing between requests. */
let fresh: Engine;

const another = (options: EngineOptions): Engine =>
  buildEngine(gpu, model, weights, { contextLength: 1024, ...options });

beforeAll(async () => {
  gpu = await testGpu();
  golden = await openGolden("lfm2_vl");
  const options = { contextLength: 1024 };
  ({ engine, model, weights } = await openEngine(gpu, golden.checkpoint, "f32", options));
  fresh = another({ prefixCache: false });
});

/** The ids of all cases one after another, repeated as often as needed. */
function text(count: number): number[] {
  const { imageTokenId } = model.processor;
  const words = golden.cases.flatMap(({ input_ids }) => input_ids);
  const plain = words.filter((id) => id !== imageTokenId);
  return Array.from({ length: count }, (_, i) => plain[i % plain.length] as number);
}

function request(ids: readonly number[], maxTokens = 1): GenerationInput {
  return { ids, images: [], maxTokens, stopTokenIds: [], sampling: GREEDY };
}

async function run(on: Engine, input: GenerationInput) {
  let cached = -1;
  const ids: number[] = [];
  const onCached = (tokens: number): void => void (cached = tokens);
  for await (const { token } of on.generate({ ...input, onCached })) ids.push(token);
  return { ids, cached };
}

/** Runs a prompt. Returns its last logits and the cached tokens. */
async function prefill(on: Engine, input: GenerationInput) {
  const { cached } = await run(on, { ...input, maxTokens: 1 });
  const logits = await gpu.read(on.decoder.lastLogits ?? expect.fail("no logits"));
  return { logits, cached };
}

const wholePages = (rows: number) => rows - (rows % PAGE_TOKENS);

test("memory holds one state per page, and its size counts", () => {
  const { num_conv_layers = 0, hidden_size } = model.text;
  const cache = new KvCache(gpu, model.text, 129);
  expect([cache.layers.length, cache.convolutions.length]).toEqual([2, 3]);
  for (const { states } of cache.convolutions) {
    expect(states.shape).toEqual([3 * convStateRows(3), hidden_size]);
  }
  const keysAndValues = kvBytesPerToken({ ...model.text, num_conv_layers: 0 });
  const states = num_conv_layers * hidden_size * convStateRows(3) * 4;
  expect(kvBytesPerToken(model.text)).toBe(keysAndValues + states / PAGE_TOKENS);
  const kept = [...cache.layers.flatMap((layer) => [layer.keys, layer.values])];
  for (const { states } of cache.convolutions) kept.push(states);
  const bytes = kept.reduce((sum, tensor) => sum + bufferOf(tensor).size, 0);
  expect(bytes).toBe(3 * PAGE_TOKENS * kvBytesPerToken(model.text));
});

describe("a prompt", () => {
  test("in chunks of any size gives the logits of one pass", async () => {
    const input = request(text(130));
    const { logits } = await prefill(another({ prefillRows: 130 }), input);
    for (const prefillRows of [2, 31, 63, 64, 65, 129]) {
      expectClose((await prefill(another({ prefillRows }), input)).logits, logits, 2e-5);
    }
  });

  test("position by position gives the same by one plan and by fresh ones", async () => {
    const tokens = text(70);
    const opened = { model, weights, engine };
    const states = (plansOf: number) => statesByPosition(gpu, opened, tokens, plansOf);
    expect(await states(Infinity)).toEqual(await states(7));
  });

  test("is found in full pages, and then gives the bits of a fresh computation", async () => {
    const ids = text(200);
    const { logits } = await prefill(fresh, request(ids));
    for (const cut of [1, 63, 64, 65, 128, 200]) {
      engine.flush();
      // Other text follows the cut, and leaves its own states behind.
      await prefill(engine, request([...ids.slice(0, cut), ...text(80).reverse()]));
      expect(await prefill(engine, request(ids)), `${cut}`).toEqual({
        logits,
        cached: wholePages(Math.min(cut, ids.length - 1)),
      });
      expect((await prefill(engine, request(ids))).cached).toBe(192);
    }
  });

  test("with images gives the answer of the reference, cached or not", async () => {
    engine.flush();
    for (const name of ["image", "two_images", "two_turns"]) {
      const { input_ids, output_ids } = caseOf(golden, name);
      const input = await requestOf(caseOf(golden, name), model);
      expect((await run(engine, input)).ids, name).toEqual(output_ids);
      const cached = wholePages(input_ids.length - 1);
      expect(await run(engine, input), name).toEqual({ ids: output_ids, cached });
    }
  });
});

describe("an answer", () => {
  test("that ends near the end of a page leaves the states that the next turn needs", async () => {
    for (const begin of [59, 60, 61, 64]) {
      const ids = text(begin);
      engine.flush();
      const { ids: answer } = await run(engine, request(ids, 5));
      const next = request([...ids, ...answer, ...text(20)], 6);
      const expected = await run(fresh, next);
      // The last sampled token was not computed.
      const cached = wholePages(begin + answer.length - 1);
      expect(await run(engine, next), `${begin}`).toEqual({ ids: expected.ids, cached });
      const { logits } = await prefill(fresh, next);
      expectClose((await prefill(engine, next)).logits, logits, 5e-5);
    }
  });

  test("over two pages equals that of a fresh engine, and so do later ones", async () => {
    engine.flush();
    let conversation = request(text(40), 50);
    for (let turn = 0; turn < 2; turn++) {
      const { ids } = await run(engine, conversation);
      expect(ids).toEqual((await run(fresh, conversation)).ids);
      conversation = { ...conversation, ids: [...conversation.ids, ...ids, ...text(9)] };
    }
  });

  test("in one of two alternating conversations is right", async () => {
    engine.flush();
    let conversations = [text(70), text(90).reverse()].map((ids) => request(ids, 8));
    for (let turn = 0; turn < 3; turn++) {
      const next: GenerationInput[] = [];
      for (const conversation of conversations) {
        const { ids, cached } = await run(engine, conversation);
        expect(ids).toEqual((await run(fresh, conversation)).ids);
        if (turn > 0) expect(cached).toBeGreaterThanOrEqual(64);
        next.push({ ...conversation, ids: [...conversation.ids, ...ids, 11 + turn] });
      }
      conversations = next;
    }
  });

  test("of several that share their prompt's full pages is right", async () => {
    engine.flush();
    const answers: string[] = [];
    for (let seed = 0; seed < 3; seed++) {
      const sampling = { ...GREEDY, temperature: 1.3, seed };
      const choice = { ...request(text(150), 10), sampling };
      const { ids, cached } = await run(engine, choice);
      expect(cached).toBe(seed === 0 ? 0 : 128);
      expect(ids).toEqual((await run(fresh, choice)).ids);
      answers.push(ids.join());
    }
    expect(new Set(answers).size).toBe(3);
  });
});

describe("a request that ends early", () => {
  test("leaves its computed chunks when its signal aborts during prefill", async () => {
    const input = request(text(300), 8);
    const expected = await run(fresh, input);
    for (const prefillRows of [32, 50, 64]) {
      const small = another({ prefillRows });
      const controller = new AbortController();
      const { decoder } = small;
      const submit = decoder.submit.bind(decoder);
      let chunks = 0;
      decoder.submit = (passes) => {
        submit(passes);
        if (++chunks === 3) controller.abort(new Error("enough"));
      };
      const aborted = run(small, { ...input, signal: controller.signal });
      await expect(aborted).rejects.toThrow("enough");
      decoder.submit = submit;
      expect(await run(small, input)).toEqual({
        ids: expected.ids,
        cached: wholePages(3 * prefillRows),
      });
    }
  });

  test("leaves the rows that were read when the reader stops", async () => {
    for (const begin of [60, 61, 62]) {
      engine.flush();
      const input = request(text(begin), 40);
      const read: number[] = [];
      for await (const { token } of engine.generate(input)) if (read.push(token) === 3) break;
      const next = request([...input.ids, ...read, 7, ...text(30)], 6);
      const { ids, cached } = await run(engine, next);
      expect(ids, `${begin}`).toEqual((await run(fresh, next)).ids);
      expect(cached).toBe(wholePages(begin + read.length - 1));
    }
  });
});

test("in little room every answer is right, and memory does not grow", async () => {
  const small = another({ contextLength: 192 });
  for (const case_ of golden.cases) await run(small, await requestOf(case_, model));
  const { gpuBytes } = small.stats;
  for (let i = 0; i < 8; i++) {
    const case_ = golden.cases[(i * i + (i >> 2)) % golden.cases.length] ?? expect.fail();
    const { ids } = await run(small, await requestOf(case_, model));
    expect(ids, case_.name).toEqual(case_.output_ids);
  }
  expect(small.stats.gpuBytes).toBe(gpuBytes);
});
