import { beforeAll, expect, test } from "vitest";
import { llama32of11b } from "../../bench/model/mllama-shapes.ts";
import { randomCheckpoint } from "../../bench/model/random-checkpoint.ts";
import { buildEngine, generate } from "../../tests/golden.ts";
import { expectClose, random, smallestGpu } from "../../tests/support.ts";
import type { Gpu } from "../gpu/device.ts";
import { GpuWeights } from "../weights/gpu-weights.ts";
import { createModel } from "./registry.ts";

/** No token ends an answer: with random weights any of them may be generated. */
const ENDLESS = { "generation_config.json": { eos_token_id: [] } };

const LAYERS = { text: 2, cross: [1], local: 1, global: 1 };

let gpu: Gpu;

beforeAll(async () => {
  gpu = await smallestGpu();
  return () => gpu.destroy();
});

function open(image_size: number) {
  const checkpoint = randomCheckpoint(llama32of11b(LAYERS, image_size));
  const model = createModel(checkpoint.files);
  const weights = new GpuWeights(gpu, checkpoint, { quantization: "q4", rename: model.rename });
  const engine = buildEngine(gpu, model, weights, { contextLength: 64, prefillRows: 8 });
  return { checkpoint, model, weights, engine };
}

/** Recorded only: a pass always has 6432 patch rows, which take a software adapter minutes. */
test("Llama-3.2-11B's plans fit the default limits", async () => {
  const { model, weights, engine } = open(560);
  await engine.prepare();
  await gpu.device.queue.onSubmittedWorkDone();
  gpu.throwIfFailed();
  expect(model.crossAttention).toEqual({ rows: 6404, width: 1024 });
  expect(engine.maxImages).toBe(5); // in bindings of 128 MiB
  const shapes = engine.imageStates.map(({ shape }) => shape);
  expect(shapes).toEqual(new Array(2).fill([5 * 6404, 1024]));
  weights.dispose();
});

test("Llama-3.2-11B's widths run with tiles of 112 pixels", async () => {
  const { checkpoint, model, weights, engine } = open(112);
  const prepared = engine.prepare();
  await weights.load(checkpoint);
  await prepared;
  gpu.throwIfFailed();

  const [width, height] = [200, 100];
  const source = Uint8Array.from(random(width * height * 4, 3), (x) => 127 + 127 * x);
  const layout = model.processor.layout(width, height, "auto");
  expect(layout.attendedKeys).toBe(2 * 65);
  const image = { decoded: { width, height, source }, layout, key: "noise" };
  const V = model.text.vocab_size;
  const logitsAfter = async (ids: number[], images: (typeof image)[], maxTokens: number) => {
    const answer = await generate(engine, { ids, images, maxTokens }, ENDLESS);
    return { answer, logits: await gpu.read(engine.decoder.lastLogits ?? expect.fail()) };
  };
  for (const images of [[], [image]]) {
    const prompt = [1, ...images.map(() => model.processor.imageTokenId), V - 1, 9];
    const decoded = await logitsAfter(prompt, images, 2);
    expect(decoded.logits.length).toBe(V);
    expect(decoded.logits.every(Number.isFinite)).toBe(true);
    expect(new Set(decoded.logits).size).toBeGreaterThan(V / 2);
    const [first = expect.fail("no answer")] = decoded.answer;
    engine.flush();
    const prefilled = await logitsAfter([...prompt, first], images, 1);
    expectClose(decoded.logits, prefilled.logits, 1e-4);
  }
  const rows = 4 * 65;
  for (const state of engine.imageStates) {
    const all = await gpu.read(state);
    // Attended keys begin at the start of the buffer, those of padding tiles at its end.
    for (const row of [0, 2 * 65 - 1, (engine.maxImages ?? 0) * rows - 1]) {
      const keys = all.subarray(row * 1024, (row + 1) * 1024);
      expect(keys.every(Number.isFinite)).toBe(true);
      expect(new Set(keys).size).toBeGreaterThan(256);
    }
    expect(all[2 * 65 * 1024]).toBe(0);
  }
  gpu.throwIfFailed();
  weights.dispose();
});
