import { beforeAll, describe, expect, test } from "vitest";
import {
  type Golden,
  type GoldenCase,
  buildEngine,
  caseOf,
  openEngine,
  openGolden,
  requestOf,
} from "../../tests/golden.ts";
import { expectClose, testGpu } from "../../tests/support.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Model } from "../models/model.ts";
import type { Engine, EngineOptions } from "./engine.ts";
import type { GenerationInput } from "./generation.ts";

/** Absolute tolerance of logits, from the goldens' README. */
const LOGITS = 1e-3;

let gpu: Gpu;

beforeAll(async () => {
  gpu = await testGpu();
});

/** Opens a family: its model, engines over its weights, and its cases as requests. */
async function open(folder: string) {
  const golden: Golden = await openGolden(folder);
  const { model, weights } = await openEngine(gpu, golden.checkpoint, "f32", {
    contextLength: 128,
  });
  const engineOf = (options: EngineOptions): Engine => buildEngine(gpu, model, weights, options);
  const inputOf = async (case_: GoldenCase): Promise<GenerationInput> => ({
    ...(await requestOf(case_, model)),
    maxTokens: 1,
  });
  return { golden, model, engineOf, caseOf: (name: string) => caseOf(golden, name), inputOf };
}

/** Runs a request. Returns the last logits, the cached tokens, and what was computed. */
async function run(engine: Engine, input: GenerationInput) {
  const before = engine.stats;
  let cached = -1;
  const onCached = (tokens: number): void => void (cached = tokens);
  const ids: number[] = [];
  for await (const { token } of engine.generate({ ...input, onCached })) ids.push(token);
  const { steps, prefillRows } = engine.stats;
  return {
    ids,
    cached,
    /** Chunks of the prompt: all steps except the decode steps of later tokens. */
    chunks: steps - before.steps - (ids.length - 1),
    prefilled: prefillRows - before.prefillRows,
    logits: await gpu.read(engine.decoder.lastLogits ?? expect.fail("no logits")),
  };
}

describe("gemma3, with a bidirectional block per image and sliding windows", () => {
  let golden: Golden;
  let model: Model;
  let engineOf: (options: EngineOptions) => Engine;
  let caseOf: (name: string) => GoldenCase;
  let inputOf: (case_: GoldenCase) => Promise<GenerationInput>;

  beforeAll(async () => {
    ({ golden, model, engineOf, caseOf, inputOf } = await open("gemma3"));
  });

  test("a prompt in chunks of any size gives the logits of one pass", async () => {
    const case_ = caseOf("two_images");
    const input = await inputOf(case_);
    const whole = await run(engineOf({ contextLength: 128, prefillRows: 128 }), input);
    expect(whole.chunks).toBe(1);
    const expected = golden.expected.get("two_images.logits") ?? expect.fail();
    expected.forEach((logit, i) =>
      expect(Math.abs((whole.logits[i] as number) - logit)).toBeLessThan(LOGITS),
    );
    const T = case_.input_ids.length;
    const blocks = 2;
    // In chunks of one row, the 9 rows of an image are still one chunk.
    const single = T - case_.image_token_count + blocks;
    for (const prefillRows of [1, 3, 5, 9, 16, 33, 64]) {
      const engine = engineOf({ contextLength: 128, prefillRows });
      const { logits, chunks, prefilled } = await run(engine, input);
      expectClose(logits, whole.logits, 2e-5);
      expect(prefilled).toBe(T);
      expect(chunks).toBeGreaterThan(1);
      if (prefillRows === 1) expect(chunks).toBe(single);
    }
  });

  test("decode steps past the window give the reference's logits", async () => {
    const case_ = caseOf("image");
    const V = model.text.vocab_size;
    const expected = golden.expected.get("image.step_logits") ?? expect.fail();
    const steps = expected.length / V;
    const { sliding_window: window = expect.fail("no window") } = model.text;
    expect(case_.input_ids.length).toBeGreaterThan(2 * window);
    expect(steps).toBeGreaterThan(window);
    const engine = engineOf({ contextLength: 128, prefixCache: false });
    for (let step = 1; step < steps; step += 5) {
      const input = { ...(await inputOf(case_)), maxTokens: step + 1 };
      const { logits } = await run(engine, input);
      for (let i = 0; i < V; i++) {
        const difference = (logits[i] as number) - (expected[step * V + i] as number);
        expect(Math.abs(difference)).toBeLessThan(LOGITS);
      }
    }
  });

  test("the next chat turn computes only its new rows, and no image", async () => {
    const case_ = caseOf("image");
    const input = await inputOf(case_);
    const ids = [...case_.input_ids, ...case_.output_ids, 8, 268, 7, 333, 331, 414, 268, 308, 320];
    const engine = engineOf({ contextLength: 128 });
    await run(engine, { ...input, maxTokens: case_.output_ids.length });
    const next = await run(engine, { ...input, ids });
    expect(next.cached).toBe(case_.input_ids.length + case_.output_ids.length - 1);
    expect(next.prefilled).toBe(ids.length - next.cached);
    const fresh = await run(engineOf({ contextLength: 128 }), { ...input, ids });
    expectClose(next.logits, fresh.logits, 1e-4);
  });

  test("another question about the same image finds the image's rows", async () => {
    const case_ = caseOf("image");
    const input = await inputOf(case_);
    const engine = engineOf({ contextLength: 128 });
    await run(engine, input);
    const end = case_.input_ids.lastIndexOf(model.processor.imageTokenId) + 1;
    const ids = [...case_.input_ids.slice(0, end), 10, 502, 303, 317, 442, 8];
    const next = await run(engine, { ...input, ids });
    expect(next.cached).toBe(end + 2);
    const fresh = await run(engineOf({ contextLength: 128 }), { ...input, ids });
    expectClose(next.logits, fresh.logits, 2e-5);
  });

  test("an image that lost its last page is computed from that page on", async () => {
    const case_ = caseOf("image");
    const input = await inputOf(case_);
    const first = case_.input_ids.indexOf(model.processor.imageTokenId);
    // Text before the image makes its rows start in the first page of 64 and end in the second.
    const ids = [2, ...new Array<number>(58 - first).fill(300), ...case_.input_ids.slice(1)];
    expect(ids.indexOf(model.processor.imageTokenId)).toBe(58);
    const engine = engineOf({ contextLength: 192 });
    const fresh = await run(engine, { ...input, ids });
    expect(fresh.cached).toBe(0);
    await run(engine, {
      ...input,
      ids: new Array<number>(100).fill(5),
      images: [],
      cacheSalt: "b",
    });
    const again = await run(engine, { ...input, ids });
    expect(again.cached).toBe(64);
    expectClose(again.logits, fresh.logits, 2e-5);
  });
});

describe("paligemma, with one bidirectional block per prompt", () => {
  let engineOf: (options: EngineOptions) => Engine;
  let caseOf: (name: string) => GoldenCase;
  let inputOf: (case_: GoldenCase) => Promise<GenerationInput>;

  beforeAll(async () => {
    ({ engineOf, caseOf, inputOf } = await open("paligemma"));
  });

  test("a prompt is one chunk, whatever the prefill rows", async () => {
    const input = await inputOf(caseOf("image"));
    const whole = await run(engineOf({ contextLength: 128 }), input);
    for (const prefillRows of [1, 5, 16, 64]) {
      const { logits, chunks } = await run(engineOf({ contextLength: 128, prefillRows }), input);
      expect(chunks).toBe(1);
      expectClose(logits, whole.logits, 2e-5);
    }
  });

  test("only an equal prompt is found in the cache", async () => {
    const case_ = caseOf("image");
    const input = await inputOf(case_);
    const T = case_.input_ids.length;
    const engine = engineOf({ contextLength: 128 });
    const first = await run(engine, { ...input, maxTokens: 4 });
    const again = await run(engine, { ...input, maxTokens: 4 });
    expect([first.cached, again.cached]).toEqual([0, T - 1]);
    expect(again.prefilled).toBe(1);
    expect(again.ids).toEqual(first.ids);
    const longer = await run(engine, { ...input, ids: [...case_.input_ids, 300] });
    expect(longer.cached).toBe(0);
    const fresh = await run(engineOf({ contextLength: 128 }), {
      ...input,
      ids: [...case_.input_ids, 300],
    });
    expectClose(longer.logits, fresh.logits, 2e-5);
  });
});
