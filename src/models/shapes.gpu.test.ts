import { beforeAll, describe, expect, test } from "vitest";
import { type PublishedShape, SHAPES } from "../../tests/families.ts";
import { buildEngine, generate } from "../../tests/golden.ts";
import type { Cut } from "../../tests/shapes/checkpoint-shape.ts";
import { narrowFeedForward } from "../../tests/shapes/narrow-feed-forward.ts";
import { randomCheckpoint } from "../../tests/shapes/random-checkpoint.ts";
import { expectClose, random, smallestGpu } from "../../tests/support.ts";
import type { Gpu } from "../gpu/device.ts";
import { GpuWeights } from "../weights/gpu-weights.ts";
import { createModel } from "./registry.ts";

/** A model with random weights may sample an end token at any step. */
const ENDLESS = { "generation_config.json": { eos_token_id: [] } };

/** Vocabularies of the published sizes have their own test, because they take longest to load. */
const VOCABULARY = 1024;

let gpu: Gpu;

beforeAll(async () => {
  gpu = await smallestGpu();
  return () => gpu.destroy();
});

function open({ make, contextLength, image }: PublishedShape, cut: Cut) {
  const checkpoint = randomCheckpoint(narrowFeedForward(make(cut)));
  const model = createModel(checkpoint.files);
  const weights = new GpuWeights(gpu, checkpoint, {
    quantization: "q8",
    storedNames: model.storedNames,
  });
  const options = { contextLength: contextLength ?? image.tokens + 64, prefillRows: 16 };
  return { checkpoint, model, weights, engine: buildEngine(gpu, model, weights, options) };
}

describe.each(SHAPES)("$name", (shape) => {
  test("its widths run, prompts as decode steps do", async () => {
    const { size, detail = "auto", tokens, ...cut } = shape.small;
    const opened = open(shape, { ...shape.cut, ...cut, vocabulary: VOCABULARY });
    const { checkpoint, model, weights, engine } = opened;
    const prepared = engine.prepare();
    await weights.load(checkpoint);
    await prepared;
    gpu.throwIfFailed();

    const [width, height] = size;
    const layout = model.processor.layout(width, height, detail);
    expect(layout.tokenCount).toBe(tokens);
    const source = Uint8Array.from(random(width * height * 4, 3), (x) => 127 + 127 * x);
    const image = { decoded: { width, height, source }, layout, key: "noise" };
    const placeholders = new Array<number>(tokens).fill(model.processor.imageTokenId);
    const logitsAfter = async (ids: number[], maxTokens: number) => {
      const answer = await generate(engine, { ids, images: [image], maxTokens }, ENDLESS);
      return { answer, logits: await gpu.read(engine.decoder.lastLogits ?? expect.fail()) };
    };
    const prompt = [1, VOCABULARY - 1, ...placeholders, 9];
    const decoded = await logitsAfter(prompt, 2);
    expect(decoded.logits.length).toBe(VOCABULARY);
    expect(decoded.logits.every(Number.isFinite)).toBe(true);
    expect(new Set(decoded.logits).size).toBeGreaterThan(VOCABULARY / 2);
    const [first = expect.fail("no answer")] = decoded.answer;
    engine.flush();
    const prefilled = await logitsAfter([...prompt, first], 1);
    expectClose(decoded.logits, prefilled.logits, 1e-4);

    for (const state of engine.imageStates) {
      const D = state.shape[1] as number;
      const values = await gpu.read(state);
      // The keys of padding tiles are at the ring's end. The keys between are not written.
      const { attendedKeys } = layout;
      const last = attendedKeys ? values.length / D : tokens;
      for (const row of [0, (attendedKeys ?? tokens) - 1, last - 1]) {
        const own = values.subarray(row * D, (row + 1) * D);
        expect(own.every(Number.isFinite)).toBe(true);
        expect(new Set(own).size).toBeGreaterThan(D / 4);
      }
      if (attendedKeys) expect(values[attendedKeys * D]).toBe(0);
    }
    gpu.throwIfFailed();
    weights.dispose();
  });
});
