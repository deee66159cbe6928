import { beforeAll, describe, expect, test } from "vitest";
import {
  type Golden,
  type GoldenCase,
  GREEDY,
  buildEngine,
  caseOf,
  openEngine,
  openGolden,
  requestOf,
} from "../../tests/golden.ts";
import { expectClose, testGpu } from "../../tests/support.ts";
import { chatModel } from "../chat/model.ts";
import type { Gpu } from "../gpu/device.ts";
import { compileGrammar } from "../grammar/compile-grammar.ts";
import type { Model } from "../models/model.ts";
import { createHandler } from "../openai/handler.ts";
import { decodeImage } from "../platform/decode-image.ts";
import { openCheckpoint } from "../weights/checkpoint.ts";
import type { GpuWeights } from "../weights/gpu-weights.ts";
import { resolveSource } from "../weights/source.ts";
import type { Engine, EngineOptions } from "./engine.ts";
import type { GenerationInput, PreparedImage, Sampling } from "./generation.ts";

const SAMPLED: Sampling = { ...GREEDY, temperature: 1.3, seed: 5 };

/** What one request found in the cache and computed. */
interface Outcome {
  readonly ids: readonly number[];
  readonly cached: number;
  /** Prompt rows and vision passes computed. */
  readonly prefilled: number;
  readonly encoded: number;
}

let gpu: Gpu;

beforeAll(async () => {
  gpu = await testGpu();
});

/** Opens a family: engines, and its cases as requests. */
async function open(folder: string) {
  const golden: Golden = await openGolden(folder);
  const options = { contextLength: 1024 };
  const opened = await openEngine(gpu, golden.checkpoint, "f32", options);
  return { golden, ...opened, ...requests(golden, opened.model) };
}

function requests(golden: Golden, model: Model) {
  return {
    caseOf: (name: string) => caseOf(golden, name),
    input: (case_: GoldenCase, sampling?: Sampling) => requestOf(case_, model, sampling),
  };
}

async function run(engine: Engine, input: GenerationInput): Promise<Outcome> {
  const before = engine.stats;
  let cached = -1;
  const ids: number[] = [];
  const onCached = (tokens: number): void => void (cached = tokens);
  for await (const { token } of engine.generate({ ...input, onCached })) ids.push(token);
  const { prefillRows, visionSteps } = engine.stats;
  return {
    ids,
    cached,
    prefilled: prefillRows - before.prefillRows,
    encoded: visionSteps - before.visionSteps,
  };
}

/** Runs a prompt. Returns its last logits and the cached tokens. */
async function prefill(engine: Engine, input: GenerationInput) {
  const { cached } = await run(engine, { ...input, maxTokens: 1 });
  const logits = await gpu.read(engine.decoder.lastLogits ?? expect.fail("no logits"));
  return { logits, cached };
}

describe.each(["smolvlm", "qwen3_vl", "gemma3"])("with %s", (folder) => {
  let engine: Engine;
  let fresh: Engine;
  let golden: Golden;
  let input: (case_: GoldenCase) => Promise<GenerationInput>;

  beforeAll(async () => {
    const opened = await open(folder);
    ({ engine, golden, input } = opened);
    const options = { contextLength: 1024, prefixCache: false };
    fresh = buildEngine(gpu, opened.model, opened.weights, options);
  });

  test("a case gives the reference's answer, a second time from one computed row and no image", async () => {
    for (const case_ of golden.cases.filter(({ name }) => /^(text|image|two_turns)$/.test(name))) {
      const request = await input(case_);
      const first = await run(engine, request);
      expect(first.ids, case_.name).toEqual(case_.output_ids);
      expect(first.prefilled).toBe(request.ids.length - first.cached);
      expect(await run(engine, request), case_.name).toEqual({
        ids: case_.output_ids,
        cached: request.ids.length - 1,
        prefilled: 1,
        encoded: 0,
      });
    }
  });

  test("the next turn computes only its new rows, and equals a fresh engine", async () => {
    const more = golden.cases.find(({ name }) => name === "text")?.input_ids ?? expect.fail();
    for (const case_ of golden.cases.filter(({ name }) => name === "two_turns")) {
      const request = await input(case_);
      engine.flush();
      const { ids: answer } = await run(engine, request);
      const next = { ...request, ids: [...request.ids, ...answer, ...more], maxTokens: 12 };
      const expected = await run(fresh, next);
      expect(expected).toMatchObject({ cached: 0, prefilled: next.ids.length });
      expect(await run(engine, next)).toEqual({
        ids: expected.ids,
        cached: request.ids.length + answer.length - 1,
        prefilled: more.length + 1,
        encoded: 0,
      });
      // The answer's rows come from decode steps, which add in another order.
      engine.flush();
      await run(engine, request);
      const { logits } = await prefill(engine, next);
      expectClose(logits, (await prefill(fresh, next)).logits, 5e-5);
    }
  });
});

describe("an engine", () => {
  let golden: Golden;
  let model: Model;
  let weights: GpuWeights;
  let engine: Engine;
  let input: (case_: GoldenCase, sampling?: Sampling) => Promise<GenerationInput>;
  let caseOf: (name: string) => GoldenCase;

  const another = (options: EngineOptions): Engine => buildEngine(gpu, model, weights, options);
  const requestOf = (name: string, sampling?: Sampling) => input(caseOf(name), sampling);

  beforeAll(async () => {
    ({ golden, model, weights, engine, input, caseOf } = await open("smolvlm"));
  });

  test("computes the same bits for a prompt's rows, however much of it was cached", async () => {
    const request = await requestOf("two_images");
    const { ids, images } = request;
    const { imageTokenId } = model.processor;
    engine.flush();
    const whole = await prefill(engine, request);
    expect(whole.cached).toBe(0);
    for (const cut of [1, 7, 33, 60, 64, 65, ids.length - 1]) {
      const part = ids.slice(0, cut);
      // A prompt has whole images, so the missing rows of an image that is cut are appended.
      const rows = part.filter((id) => id === imageTokenId).length;
      const count = Math.ceil(rows / 16);
      const missing = new Array<number>(16 * count - rows).fill(imageTokenId);
      const begun = [...part, ...missing, 9];
      engine.flush();
      await prefill(engine, { ...request, ids: begun, images: images.slice(0, count) });
      expect(await prefill(engine, request)).toEqual({
        logits: whole.logits,
        cached: cut + missing.length,
      });
    }
  });

  test("samples the same tokens for a seed, whether the prompt was cached or not", async () => {
    const request = await requestOf("image", SAMPLED);
    const other = await requestOf("system", SAMPLED);
    const cached = request.ids.length - 1;
    engine.flush();
    const first = await run(engine, request);
    expect(first.cached).toBe(0);
    expect(await run(engine, request)).toMatchObject({ ids: first.ids, cached });
    await run(engine, other);
    expect(await run(engine, request)).toMatchObject({ ids: first.ids, cached });
    engine.flush();
    await run(engine, other);
    expect((await run(engine, request)).ids).toEqual(first.ids);
  });

  test("prefills the prompt of several choices once", async () => {
    const request = await requestOf("two_images", SAMPLED);
    const uncached = another({ contextLength: 1024, prefixCache: false });
    engine.flush();
    const before = engine.stats;
    const answers: (readonly number[])[] = [];
    for (let seed = 0; seed < 3; seed++) {
      const choice = { ...request, sampling: { ...SAMPLED, seed } };
      const { ids } = await run(engine, choice);
      expect(ids).toEqual((await run(uncached, choice)).ids);
      answers.push(ids);
    }
    expect(new Set(answers.map(String)).size).toBe(3);
    const { prefillRows, visionSteps } = engine.stats;
    expect(prefillRows - before.prefillRows).toBe(request.ids.length + 2);
    expect(visionSteps - before.visionSteps).toBe(2);
  });

  test("caches several conversations at once", async () => {
    engine.flush();
    const names = ["text", "image", "system", "two_turns"];
    const firstTurns = await Promise.all(names.map((name) => requestOf(name)));
    let conversations: GenerationInput[] = firstTurns;
    for (let turn = 0; turn < 3; turn++) {
      const next: GenerationInput[] = [];
      for (const [i, request] of conversations.entries()) {
        const { ids, cached, encoded } = await run(engine, request);
        if (turn > 0) {
          expect(cached).toBe(request.ids.length - 3);
          expect(encoded).toBe(0);
        } else expect(ids).toEqual(caseOf(names[i] as string).output_ids);
        next.push({ ...request, ids: [...request.ids, ...ids, 11, 12] });
      }
      conversations = next;
    }
  });

  test("does not find a prompt with another image or an image without key", async () => {
    const request = await requestOf("image");
    const start = request.ids.indexOf(model.processor.imageTokenId);
    const [image = expect.fail("no image")] = request.images;
    const { images: others } = await requestOf("image_last");
    engine.flush();
    const { ids } = await run(engine, request);
    const keys: (PreparedImage | undefined)[] = [others[0], { ...image, key: "unlike" }];
    for (const key of [undefined, undefined]) keys.push({ ...image, key });
    for (const other of keys) {
      const outcome = await run(engine, { ...request, images: [other ?? image] });
      expect(outcome).toMatchObject({ cached: start, encoded: 1 });
      if (other?.decoded === image.decoded) expect(outcome.ids).toEqual(ids);
    }
    expect((await run(engine, request)).cached).toBe(request.ids.length - 1);
  });

  test("encodes an image again when only a part of its rows is cached", async () => {
    const { ids, ...request } = await requestOf("image");
    const start = ids.indexOf(model.processor.imageTokenId);
    // Makes page 0 end within the image.
    const long = { ...request, ids: [...new Array<number>(56 - start).fill(3), ...ids] };
    const fillers = Array.from({ length: 120 }, (_, i) => 20 + i);
    const small = another({ contextLength: 192 });
    const first = await prefill(small, long);
    expect(first.cached).toBe(0);
    await prefill(small, { ...request, images: [], ids: fillers });
    const { visionSteps } = small.stats;
    expect(await prefill(small, long)).toEqual({ logits: first.logits, cached: 64 });
    expect(small.stats.visionSteps).toBe(visionSteps + 1);
  });

  test("answers every request right in little room, without more memory", async () => {
    const small = another({ contextLength: 192 });
    for (const case_ of golden.cases) await run(small, await input(case_));
    const { gpuBytes } = small.stats;
    let hits = 0;
    for (let i = 0; i < 8; i++) {
      const case_ = golden.cases[(i * i + (i >> 2)) % golden.cases.length] ?? expect.fail();
      const { ids, cached } = await run(small, await input(case_));
      expect(ids, case_.name).toEqual(case_.output_ids);
      if (cached > case_.input_ids.length / 2) hits++;
    }
    expect(hits).toBeGreaterThan(0);
    expect(small.stats.gpuBytes).toBe(gpuBytes);
  });

  test("shares nothing between salts, and nothing at all with `prefixCache: false`", async () => {
    const request = await requestOf("text");
    engine.flush();
    await run(engine, { ...request, cacheSalt: "mine" });
    expect((await run(engine, request)).cached).toBe(0);
    expect((await run(engine, { ...request, cacheSalt: "yours" })).cached).toBe(0);
    expect((await run(engine, { ...request, cacheSalt: "mine" })).cached).toBe(37);
    for (const options of [{ prefixCache: false }, { captures: true }]) {
      const uncached = another({ contextLength: 1024, ...options });
      for (let i = 0; i < 2; i++) {
        expect(await run(uncached, request)).toMatchObject({ cached: 0, prefilled: 38 });
      }
    }
  });

  test("forgets everything on flush, the running request included", async () => {
    const request = await requestOf("text");
    await run(engine, request);
    engine.flush();
    expect((await run(engine, request)).cached).toBe(0);
    let count = 0;
    for await (const { token } of engine.generate(request)) {
      expect(token).toBe(caseOf("text").output_ids[count]);
      if (++count === 2) engine.flush();
    }
    expect((await run(engine, request)).cached).toBe(0);
  });
});

describe("after a request that ended early", () => {
  let engine: Engine;
  let request: GenerationInput;
  let expected: readonly number[];

  beforeAll(async () => {
    const opened = await open("smolvlm");
    engine = buildEngine(gpu, opened.model, opened.weights, {
      contextLength: 1024,
      prefillRows: 32,
    });
    request = await opened.input(opened.caseOf("two_turns"));
    expected = opened.caseOf("two_turns").output_ids;
  });

  test("rows that were read are cached, when the reader stopped", async () => {
    engine.flush();
    const read: number[] = [];
    for await (const { token } of engine.generate(request)) if (read.push(token) === 5) break;
    const next = { ...request, ids: [...request.ids, ...read, 7] };
    expect((await run(engine, next)).cached).toBe(request.ids.length + 4);
    expect((await run(engine, request)).ids).toEqual(expected);
  });

  test("computed chunks are cached, when the signal aborted during prefill", async () => {
    engine.flush();
    const controller = new AbortController();
    const { decoder } = engine;
    const submit = decoder.submit.bind(decoder);
    let chunks = 0;
    decoder.submit = (passes) => {
      submit(passes);
      if (++chunks === 2) controller.abort(new Error("enough"));
    };
    const aborted = run(engine, { ...request, signal: controller.signal });
    await expect(aborted).rejects.toThrow("enough");
    decoder.submit = submit;
    expect(await run(engine, request)).toMatchObject({ cached: 64, ids: expected });
  });

  test("nothing is cached after an error of the device, not even earlier requests", async () => {
    await run(engine, request);
    const failing = async (): Promise<void> => {
      let count = 0;
      for await (const { token } of engine.generate(request)) {
        expect(token).toBe(expected[count]);
        if (++count !== 2) continue;
        const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE;
        gpu.device.createBuffer({ size: 4, usage });
        await gpu.device.queue.onSubmittedWorkDone();
      }
    };
    await expect(failing()).rejects.toThrow(/usage/i);
    expect(await run(engine, request)).toMatchObject({ cached: 0, ids: expected });
  });
});

describe("the API, with the sample model,", () => {
  test("computes a prompt once for all choices, and reports cached tokens in the usage", async () => {
    const base = location.href;
    const checkpoint = await openCheckpoint(resolveSource("/models/sample", { base }));
    const { engine, model } = await openEngine(gpu, checkpoint, "f32", { contextLength: 512 });
    const chat = chatModel(checkpoint.files, {
      generator: engine,
      processor: model.processor,
      decodeImage,
      compileGrammar,
      baseUrl: new URL("/e2e/goldens/sample/", base).href,
    });
    const handle = createHandler({
      model: () => ({ id: "sample", created: 0, fingerprint: "test", chat }),
    });
    const ask = async (fields: object) => {
      const content = [
        { type: "text", text: "What is in this image?" },
        { type: "image_url", image_url: { url: "three-hearts.png" } },
      ];
      const messages = [{ role: "user", content }];
      const body = JSON.stringify({ messages, temperature: 1.5, seed: 3, ...fields });
      const url = new URL("/v1/chat/completions", base);
      const response = await handle(new Request(url, { method: "POST", body }));
      const { choices, usage } = (await response.json()) as {
        choices: { message: { content: string } }[];
        usage: { prompt_tokens: number; prompt_tokens_details: { cached_tokens: number } };
      };
      return {
        texts: choices.map(({ message }) => message.content),
        prompt: usage.prompt_tokens,
        cached: usage.prompt_tokens_details.cached_tokens,
      };
    };
    const { texts, prompt, cached } = await ask({ n: 3 });
    expect(cached).toBe(0);
    expect(engine.stats).toMatchObject({ prefillRows: prompt + 2, visionSteps: 1 });
    expect(await ask({})).toEqual({ texts: texts.slice(0, 1), prompt, cached: prompt - 1 });
    expect(await ask({ seed: 5, cache_salt: "a" })).toEqual({
      texts: texts.slice(2),
      prompt,
      cached: 0,
    });
    const flush = new Request(new URL("/v1/flush_cache", base), { method: "POST" });
    expect((await handle(flush)).status).toBe(200);
    expect(await ask({ seed: 4 })).toEqual({ texts: texts.slice(1, 2), prompt, cached: 0 });
  });
});
