import { beforeAll, describe, expect, test } from "vitest";
import {
  type Golden,
  type GoldenCase,
  GREEDY,
  generate,
  openEngine,
  openGolden,
  prepareImages,
} from "../../tests/golden.ts";
import { statesByPosition } from "../../tests/replay.ts";
import { expectClose, testGpu } from "../../tests/support.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Model } from "../models/model.ts";
import type { GpuWeights } from "../weights/gpu-weights.ts";
import type { Engine } from "./engine.ts";
import type { GenerationInput } from "./generation.ts";

let gpu: Gpu;
let golden: Golden;
let engine: Engine;
let model: Model;
let weights: GpuWeights;

beforeAll(async () => {
  gpu = await testGpu();
  golden = await openGolden("smolvlm");
  ({ engine, model, weights } = await openEngine(gpu, golden.checkpoint, "f32", {
    contextLength: 512,
    queueLength: 2,
    sequences: 1,
  }));
});

async function inputOf(case_: GoldenCase): Promise<GenerationInput> {
  const images = await prepareImages(case_, model, "/e2e/goldens");
  const { input_ids: ids, max_tokens: maxTokens } = case_;
  return { ids, images, maxTokens, stopTokenIds: [], sampling: GREEDY };
}

const run = async (case_: GoldenCase, on = engine): Promise<number[]> =>
  generate(on, await inputOf(case_), golden.checkpoint.files);

describe("plans", () => {
  test("one plan replayed at many positions equals a fresh recording at each", async () => {
    const tokens = golden.cases.find(({ name }) => name === "text")?.input_ids ?? expect.fail();
    const opened = { model, weights, engine };
    const states = (plansOf: number) => statesByPosition(gpu, opened, tokens, plansOf);
    expect(tokens.length).toBeGreaterThan(20);
    expect(await states(Infinity)).toEqual(await states(1));
  });

  test("prefill in chunks of any size gives the logits of one pass", async () => {
    const case_ = golden.cases.find(({ name }) => name === "two_images") ?? expect.fail();
    const logits = async (prefillRows: number): Promise<Float32Array> => {
      const { engine: other } = await openEngine(gpu, golden.checkpoint, "f32", {
        contextLength: 256,
        prefillRows,
      });
      await generate(other, { ...(await inputOf(case_)), maxTokens: 1 }, golden.checkpoint.files);
      return gpu.read(other.decoder.lastLogits ?? expect.fail("no logits"));
    };
    const whole = await logits(256);
    for (const rows of [1, 5, 16, 33, 64, 81]) expectClose(await logits(rows), whole, 2e-5);
  });

  test("scratch memory does not grow with the number of requests", async () => {
    const [case_ = expect.fail()] = golden.cases;
    await run(case_);
    const before = engine.stats.gpuBytes;
    await run(case_);
    expect(engine.stats.gpuBytes).toBe(before);
  });
});

describe("requests", () => {
  test("in any order don't read each other's rows", async () => {
    const order = [...golden.cases, ...[...golden.cases].reverse()];
    for (const case_ of order) expect(await run(case_), case_.name).toEqual(case_.output_ids);
  });

  test("at the same time are answered one after another, in order", async () => {
    const cases = golden.cases.slice(0, 3);
    const finished: string[] = [];
    const answers = await Promise.all(
      cases.map(async (case_) => {
        const ids = await run(case_);
        finished.push(case_.name);
        return ids;
      }),
    );
    expect(answers).toEqual(cases.map(({ output_ids }) => output_ids));
    expect(finished.length).toBe(3);
    expect(engine.stats.requests).toBe(0);
  });

  test("beyond the queue are rejected, and the others are answered", async () => {
    const [case_ = expect.fail()] = golden.cases;
    const input = await inputOf(case_);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 5 }, () => generate(engine, input, golden.checkpoint.files)),
    );
    const refused = outcomes.filter(({ status }) => status === "rejected");
    expect(refused.length).toBe(2);
    expect(String((refused[0] as PromiseRejectedResult).reason)).toContain("QueueFullError");
    expect(await run(case_)).toEqual(case_.output_ids);
  });

  test("that are too long are rejected, and the next one is answered", async () => {
    const [case_ = expect.fail()] = golden.cases;
    const ids = new Array<number>(512).fill(5);
    const long = { ...(await inputOf(case_)), ids, images: [] };
    await expect(generate(engine, long, golden.checkpoint.files)).rejects.toThrow(
      "512 prompt tokens",
    );
    expect(await run(case_)).toEqual(case_.output_ids);
  });

  test("fail when the device reports an error, and the next is answered", async () => {
    const [case_ = expect.fail()] = golden.cases;
    gpu.device.createBuffer({ size: 4, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE });
    await gpu.device.queue.onSubmittedWorkDone();
    await expect(run(case_)).rejects.toThrow(/usage/i);
    expect(await run(case_)).toEqual(case_.output_ids);
  });

  test("with another number of placeholders than images are rejected", async () => {
    const case_ = golden.cases.find(({ name }) => name === "image") ?? expect.fail();
    const input = { ...(await inputOf(case_)), images: [] };
    await expect(generate(engine, input, golden.checkpoint.files)).rejects.toThrow("image tokens");
  });

  test("stop within a step when the reader stops", async () => {
    const case_ = golden.cases.find(({ name }) => name === "text") ?? expect.fail();
    const input = { ...(await inputOf(case_)), maxTokens: 200 };
    const before = engine.stats.steps;
    const read: number[] = [];
    for await (const { token } of engine.generate(input)) if (read.push(token) === 4) break;
    const chunks = 1;
    expect(engine.stats.steps - before).toBeLessThanOrEqual(chunks + 4);
    expect(engine.stats.requests).toBe(0);
    expect(await run(case_)).toEqual(case_.output_ids);
  });

  test("stop within a step when their signal aborts", async () => {
    const case_ = golden.cases.find(({ name }) => name === "text") ?? expect.fail();
    const controller = new AbortController();
    const input = { ...(await inputOf(case_)), maxTokens: 200, signal: controller.signal };
    const before = engine.stats.steps;
    const read = async (): Promise<void> => {
      const ids: number[] = [];
      for await (const { token } of engine.generate(input)) {
        if (ids.push(token) === 3) controller.abort(new Error("enough"));
      }
    };
    await expect(read()).rejects.toThrow("enough");
    expect(engine.stats.steps - before).toBeLessThanOrEqual(5);
    expect(await run(case_)).toEqual(case_.output_ids);
  });

  test("end at maxTokens without another step", async () => {
    const case_ = golden.cases.find(({ name }) => name === "text") ?? expect.fail();
    const before = engine.stats.steps;
    const ids: number[] = [];
    const input = { ...(await inputOf(case_)), maxTokens: 3 };
    for await (const { token } of engine.generate(input)) ids.push(token);
    expect([ids.length, engine.stats.steps - before]).toEqual([3, 3]);
  });

  test("with the same seed sample the same tokens, with another seed others", async () => {
    const case_ = golden.cases.find(({ name }) => name === "text") ?? expect.fail();
    const sample = async (seed: number): Promise<number[]> => {
      const sampling = { temperature: 1.5, topK: 0, topP: 1, minP: 0, seed };
      const ids: number[] = [];
      const input = { ...(await inputOf(case_)), maxTokens: 12, sampling };
      for await (const { token } of engine.generate(input)) ids.push(token);
      return ids;
    };
    const first = await sample(7);
    await run(case_);
    expect(await sample(7)).toEqual(first);
    expect(await sample(8)).not.toEqual(first);
  });
});
