import { beforeAll, expect, test } from "vitest";
import { lfm2Vl } from "../../bench/model/lfm2-shapes.ts";
import {
  internvl3of1b,
  llava15of7b,
  llavaOnevision05b,
  paligemma3b,
} from "../../bench/model/llava-shapes.ts";
import { randomCheckpoint } from "../../bench/model/random-checkpoint.ts";
import { buildEngine, generate } from "../../tests/golden.ts";
import { expectClose, random, smallestGpu } from "../../tests/support.ts";
import type { Gpu } from "../gpu/device.ts";
import { elementCount } from "../gpu/tensor.ts";
import { GpuWeights } from "../weights/gpu-weights.ts";
import type { PatchSource } from "./model.ts";
import { createModel } from "./registry.ts";

/** No token ends an answer: with random weights any of them may be generated. */
const ENDLESS = { "generation_config.json": { eos_token_id: [] } };

let gpu: Gpu;

beforeAll(async () => {
  gpu = await smallestGpu();
  return () => gpu.destroy();
});

/** An image whose first tile has random patches, and whose other tiles are not written. */
const oneTile: PatchSource = {
  tiles: 1,
  write: (_first, _count, into) => gpu.write(into, random(elementCount(into.shape), 7)),
  release: () => {},
};

test.each([
  // The whole image, then the 36 tiles of the largest canvas, shrunk to about nine.
  {
    name: "LLaVA-OneVision-0.5B",
    shape: llavaOnevision05b(1, 1),
    image: [2304, 2304],
    tokens: 7371,
  },
  {
    name: "LLaVA-1.5-7B",
    shape: llava15of7b(1, 2),
    image: [400, 300],
    tokens: 576,
  },
  {
    name: "InternVL3-1B",
    shape: internvl3of1b(1, 1),
    image: [300, 300],
    tokens: 256,
  },
  // Two layers with a short convolution, and one with attention.
  {
    name: "LFM2-VL-450M",
    shape: lfm2Vl("450M", 3, 1),
    image: [700, 500],
    tokens: 234,
  },
  {
    name: "LFM2-VL-1.6B",
    shape: lfm2Vl("1.6B", 3, 1),
    image: [512, 512],
    tokens: 256,
  },
  {
    name: "PaliGemma-3B",
    shape: paligemma3b(1, 1),
    image: [300, 300],
    tokens: 256,
  },
] as const)(
  "$name's shapes run within the default limits",
  async ({ shape, image: [width, height], tokens }) => {
    const checkpoint = randomCheckpoint(shape);
    const model = createModel(checkpoint.files);
    const weights = new GpuWeights(gpu, checkpoint, { quantization: "q4", rename: model.rename });
    const options = { contextLength: tokens + 64, prefillRows: 8 };
    const engine = buildEngine(gpu, model, weights, options);
    const prepared = engine.prepare();
    await weights.load(checkpoint);
    await prepared;
    gpu.throwIfFailed();

    const layout = model.processor.layout(width, height, "auto");
    expect(layout.tokenCount).toBe(tokens);
    const D = model.text.hidden_size;
    const indices = Uint32Array.from({ length: tokens }, (_, i) => i);
    await engine.vision.encode(oneTile, layout, indices);
    const images = await gpu.read(engine.imageStates[0] ?? expect.fail("no image states"));
    const rows = images.subarray(0, tokens * D);
    expect(rows.every(Number.isFinite)).toBe(true);
    // Rows of the first tile, and the last row: of another tile, or the end of a line.
    const firstTile = Math.min(tokens, (layout.grid[0] * layout.grid[1]) / model.patchesPerRow);
    for (const row of [0, firstTile - 1, tokens - 1]) {
      expect(new Set(rows.subarray(row * D, (row + 1) * D)).size).toBeGreaterThan(D / 4);
    }

    const V = model.text.vocab_size;
    const logitsAfter = async (ids: number[], maxTokens: number) => {
      const answer = await generate(engine, { ids, images: [], maxTokens }, ENDLESS);
      return { answer, logits: await gpu.read(engine.decoder.lastLogits ?? expect.fail()) };
    };
    const prompt = [1, V - 1, 9];
    const decoded = await logitsAfter(prompt, 2);
    expect(decoded.logits.length).toBe(V);
    expect(decoded.logits.every(Number.isFinite)).toBe(true);
    expect(new Set(decoded.logits).size).toBeGreaterThan(V / 2);
    const [first = expect.fail("no answer")] = decoded.answer;
    const prefilled = await logitsAfter([...prompt, first], 1);
    expectClose(decoded.logits, prefilled.logits, 1e-4);
    gpu.throwIfFailed();
    weights.dispose();
  },
);
