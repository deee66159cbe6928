import { beforeAll, expect, test } from "vitest";
import { qwen25Vl3b } from "../../bench/model/qwen-shapes.ts";
import { randomCheckpoint } from "../../bench/model/random-checkpoint.ts";
import { buildEngine, generate } from "../../tests/golden.ts";
import { expectClose, random, smallestGpu } from "../../tests/support.ts";
import type { Gpu } from "../gpu/device.ts";
import { GpuWeights } from "../weights/gpu-weights.ts";
import { createModel } from "./registry.ts";

/** No token ends an answer: with random weights any of them may be generated. */
const ENDLESS = { "generation_config.json": { eos_token_id: [] } };

/** Qwen2.5-VL-3B's vocabulary. */
const V = 151_936;

let gpu: Gpu;

beforeAll(async () => {
  gpu = await smallestGpu();
  return () => gpu.destroy();
});

test("Qwen2.5-VL-3B's shapes run within the default limits, and prefill equals decode", async () => {
  const checkpoint = randomCheckpoint(qwen25Vl3b(1, 2));
  const model = createModel(checkpoint.files);
  const weights = new GpuWeights(gpu, checkpoint, { quantization: "q4", rename: model.rename });
  const engine = buildEngine(gpu, model, weights, { contextLength: 64, prefillRows: 40 });
  const prepared = engine.prepare();
  await weights.load(checkpoint);
  await prepared;
  gpu.throwIfFailed();

  // 10 x 12 patches: windows at both edges are incomplete, and the last patch rows are idle.
  const [width, height] = [168, 140];
  const pixels = random(4 * width * height, 7);
  const bytes = Uint8ClampedArray.from(pixels, (x, i) => (i % 4 === 3 ? 255 : 128 * (x + 1)));
  const image = {
    width,
    height,
    source: await createImageBitmap(new ImageData(bytes, width, height)),
  };
  const layout = model.processor.layout(width, height, "auto");
  expect(layout.grid).toEqual([10, 12]);
  const { imageTokenId } = model.processor;
  const ids = [1, V - 1, ...new Array<number>(layout.tokenCount).fill(imageTokenId), 9];

  const logitsAfter = async (prompt: number[], maxTokens: number) => {
    const images = [{ decoded: image, layout }];
    const answer = await generate(engine, { ids: prompt, images, maxTokens }, ENDLESS);
    return { answer, logits: await gpu.read(engine.decoder.lastLogits ?? expect.fail()) };
  };
  const decoded = await logitsAfter(ids, 2);
  expect(decoded.answer.every((id) => id >= 0 && id < V)).toBe(true);
  expect(decoded.logits.length).toBe(V);
  expect(decoded.logits.every(Number.isFinite)).toBe(true);
  expect(new Set(decoded.logits).size).toBeGreaterThan(V / 2);
  const [first = expect.fail("no answer")] = decoded.answer;
  const prefilled = await logitsAfter([...ids, first], 1);
  expectClose(decoded.logits, prefilled.logits, 1e-4);
  gpu.throwIfFailed();
  weights.dispose();
});
