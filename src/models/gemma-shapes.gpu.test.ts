import { beforeAll, expect, test } from "vitest";
import { gemma3of4b } from "../../bench/model/gemma-shapes.ts";
import { randomCheckpoint } from "../../bench/model/random-checkpoint.ts";
import { buildEngine, generate } from "../../tests/golden.ts";
import { expectClose, random, smallestGpu } from "../../tests/support.ts";
import type { Gpu } from "../gpu/device.ts";
import { GpuWeights } from "../weights/gpu-weights.ts";
import { createModel } from "./registry.ts";

/** No token ends an answer: with random weights any of them may be generated. */
const ENDLESS = { "generation_config.json": { eos_token_id: [] } };

let gpu: Gpu;

beforeAll(async () => {
  gpu = await smallestGpu();
  return () => gpu.destroy();
});

test("Gemma 3 4B's plans can be bound within the default limits", async () => {
  const checkpoint = randomCheckpoint(gemma3of4b(2, 1));
  const model = createModel(checkpoint.files);
  const weights = new GpuWeights(gpu, checkpoint, { quantization: "q4", rename: model.rename });
  const engine = buildEngine(gpu, model, weights, { contextLength: 4096 });
  expect(model.processor.layout(1, 1, "auto").grid).toEqual([64, 64]);
  await engine.prepare();
  await gpu.device.queue.onSubmittedWorkDone();
  gpu.throwIfFailed();
  weights.dispose();
});

test("Gemma 3 4B's shapes run within the default limits, and prefill equals decode", async () => {
  // The tower has 1024 patches here: the published 4096 take a software adapter minutes.
  const checkpoint = randomCheckpoint(gemma3of4b(1, 1, 448));
  const model = createModel(checkpoint.files);
  const weights = new GpuWeights(gpu, checkpoint, { quantization: "q4", rename: model.rename });
  const engine = buildEngine(gpu, model, weights, { contextLength: 320, prefillRows: 32 });
  const prepared = engine.prepare();
  await weights.load(checkpoint);
  await prepared;
  gpu.throwIfFailed();

  const [width, height] = [300, 200];
  const pixels = random(4 * width * height, 7);
  const bytes = Uint8ClampedArray.from(pixels, (x, i) => (i % 4 === 3 ? 255 : 128 * (x + 1)));
  const source = await createImageBitmap(new ImageData(bytes, width, height));
  const layout = model.processor.layout(width, height, "auto");
  expect(layout.tokenCount).toBe(256);
  const images = [{ decoded: { width, height, source }, layout, key: "noise" }];

  const V = model.text.vocab_size;
  const { imageTokenId } = model.processor;
  const ids = [2, V - 1, ...new Array<number>(256).fill(imageTokenId), 9];
  const logitsAfter = async (prompt: number[], maxTokens: number) => {
    const answer = await generate(engine, { ids: prompt, images, maxTokens }, ENDLESS);
    return { answer, logits: await gpu.read(engine.decoder.lastLogits ?? expect.fail()) };
  };
  const decoded = await logitsAfter(ids, 2);
  expect(decoded.logits.length).toBe(V);
  expect(decoded.logits.every(Number.isFinite)).toBe(true);
  expect(new Set(decoded.logits).size).toBeGreaterThan(V / 2);
  const [state = expect.fail("no image states")] = engine.imageStates;
  const D = model.text.hidden_size;
  const rows = await gpu.read(state);
  for (const row of [0, 255]) {
    expect(new Set(rows.subarray(row * D, (row + 1) * D)).size).toBeGreaterThan(D / 4);
  }

  const [first = expect.fail("no answer")] = decoded.answer;
  const prefilled = await logitsAfter([...ids, first], 1);
  expectClose(decoded.logits, prefilled.logits, 1e-4);
  gpu.throwIfFailed();
  weights.dispose();
}, 300_000);
