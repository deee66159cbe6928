import { beforeAll, describe, expect, test } from "vitest";
import {
  type Golden,
  buildEngine,
  caseOf,
  openEngine,
  openGolden,
  requestOf,
} from "../../tests/golden.ts";
import { expectClose, testGpu } from "../../tests/support.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Model } from "../models/model.ts";
import type { GpuWeights } from "../weights/gpu-weights.ts";
import type { Engine, EngineOptions } from "./engine.ts";
import type { GenerationInput } from "./generation.ts";

let gpu: Gpu;
let golden: Golden;
let model: Model;
let weights: GpuWeights;
let engine: Engine;
/** Caches nothing. */
let fresh: Engine;

const another = (options: EngineOptions = {}): Engine =>
  buildEngine(gpu, model, weights, { contextLength: 512, ...options });

beforeAll(async () => {
  gpu = await testGpu();
  golden = await openGolden("mllama");
  const options = { contextLength: 512 };
  ({ engine, model, weights } = await openEngine(gpu, golden.checkpoint, "f32", options));
  fresh = another({ prefixCache: false });
});

const inputOf = (name: string) => requestOf(caseOf(golden, name), model);

async function run(on: Engine, input: GenerationInput) {
  const before = on.stats.visionSteps;
  let cached = -1;
  const ids: number[] = [];
  const onCached = (tokens: number): void => void (cached = tokens);
  for await (const { token } of on.generate({ ...input, onCached })) ids.push(token);
  return { ids, cached, encoded: on.stats.visionSteps - before };
}

const expectedOf = (name: string): number[] =>
  golden.cases.find((one) => one.name === name)?.output_ids ?? expect.fail(name);

test("the next turn about an image does not encode it again, and answers like a fresh engine", async () => {
  const request = await inputOf("image");
  const { ids: more } = await inputOf("text");
  engine.flush();
  const first = await run(engine, request);
  expect(first).toEqual({ ids: expectedOf("image"), cached: 0, encoded: 1 });
  const next = { ...request, ids: [...request.ids, ...first.ids, ...more], maxTokens: 12 };
  const { ids } = await run(fresh, next);
  const cached = request.ids.length + first.ids.length - 1;
  expect(await run(engine, next)).toEqual({ ids, cached, encoded: 0 });
});

test("another image finds neither the first image nor its rows", async () => {
  const request = await inputOf("image");
  const others = (await inputOf("image_last")).images;
  const other = { ...request, images: others };
  const { ids } = await run(fresh, other);
  expect(ids).not.toEqual(expectedOf("image"));
  engine.flush();
  await run(engine, request);
  expect(await run(engine, other)).toMatchObject({ ids, encoded: 1 });
  expect(await run(engine, request)).toMatchObject({ ids: expectedOf("image"), encoded: 1 });
  // Rows before an image depend on it, so none of them is shared.
  engine.flush();
  await run(engine, request);
  expect((await run(engine, other)).cached).toBe(0);
});

test("only the new image of a later turn is encoded", async () => {
  const whole = await inputOf("two_turns");
  const second = whole.ids.lastIndexOf(model.processor.imageTokenId);
  const first = { ...whole, ids: whole.ids.slice(0, second), images: whole.images.slice(0, 1) };
  engine.flush();
  expect(await run(engine, first)).toMatchObject({ encoded: 1 });
  expect(await run(engine, whole)).toMatchObject({ ids: expectedOf("two_turns"), encoded: 1 });
  // The first image is still there, and so is the second.
  expect(await run(engine, first)).toMatchObject({ encoded: 0 });
  expect(await run(engine, whole)).toMatchObject({ ids: expectedOf("two_turns"), encoded: 0 });
});

test("images stay during requests without images", async () => {
  const request = await inputOf("two_images");
  await run(engine, request);
  expect((await run(engine, await inputOf("text"))).ids).toEqual(expectedOf("text"));
  expect(await run(engine, request)).toMatchObject({ ids: expectedOf("two_images"), encoded: 0 });
});

test("flush, salts and missing keys make images be encoded again", async () => {
  const request = await inputOf("two_images");
  await run(engine, request);
  engine.flush();
  expect(await run(engine, request)).toMatchObject({ cached: 0, encoded: 2 });
  expect(await run(engine, { ...request, cacheSalt: "mine" })).toMatchObject({ encoded: 2 });
  expect(await run(engine, { ...request, cacheSalt: "mine" })).toMatchObject({ encoded: 0 });

  const [first = expect.fail(), second = expect.fail()] = request.images;
  const unnamed = { decoded: first.decoded, layout: first.layout };
  for (const [images, encoded] of [
    [[unnamed, second], 2],
    [[unnamed, second], 2],
    [[first, second], 2],
    [[first, { ...second, key: "unlike" }], 1],
    [[first, second], 1],
  ] as const) {
    const outcome = await run(engine, { ...request, images });
    expect(outcome).toMatchObject({ ids: expectedOf("two_images"), encoded });
  }
});

test("an image that is encoded during a flush is not found later", async () => {
  const request = await inputOf("image");
  const flushed = another({ onVisionPass: async () => flushed.flush() });
  expect((await run(flushed, request)).ids).toEqual(expectedOf("image"));
  expect(await run(flushed, request)).toMatchObject({ ids: expectedOf("image"), encoded: 1 });
});

test("an abort while images are encoded leaves no wrong state behind", async () => {
  const pair = await inputOf("two_images");
  const turns = await inputOf("two_turns");
  let passes = 0;
  let controller = new AbortController();
  const aborted = another({
    onVisionPass: async () => {
      if (--passes === 0) controller.abort(new Error("enough"));
    },
  });
  expect((await run(aborted, pair)).encoded).toBe(2);
  for (passes of [1, 2]) {
    controller = new AbortController();
    const outcome = run(aborted, { ...turns, signal: controller.signal });
    await expect(outcome).rejects.toThrow("enough");
    // Its first image overwrites the first image of the pair.
    expect(await run(aborted, pair)).toMatchObject({ ids: expectedOf("two_images"), encoded: 2 });
  }
  expect((await run(aborted, turns)).ids).toEqual(expectedOf("two_turns"));
});

test("an error while an image is encoded leaves no wrong state behind", async () => {
  const request = await inputOf("image");
  const other = await inputOf("image_last");
  let fails = false;
  const failing = another({
    onVisionPass: async () => {
      if (fails) throw new Error("out of luck");
    },
  });
  await run(failing, request);
  fails = true;
  await expect(run(failing, other)).rejects.toThrow("out of luck");
  fails = false;
  expect(await run(failing, request)).toMatchObject({ ids: expectedOf("image"), encoded: 1 });
  expect(await run(failing, other)).toMatchObject({ ids: expectedOf("image_last"), encoded: 1 });
});

test("prefill in chunks of any size gives the logits of one pass", async () => {
  const request = { ...(await inputOf("two_turns")), maxTokens: 1 };
  const logits = async (prefillRows: number): Promise<Float32Array> => {
    const chunked = another({ prefillRows });
    await run(chunked, request);
    return gpu.read(chunked.decoder.lastLogits ?? expect.fail("no logits"));
  };
  const whole = await logits(256);
  for (const rows of [5, 16, 33]) expectClose(await logits(rows), whole, 2e-5);
});

describe("the limit of images", () => {
  test("is public, and more images are rejected", async () => {
    expect(engine.maxImages).toBe(16);
    const { width } = model.crossAttention ?? expect.fail("no keys");
    for (const { shape } of engine.imageStates) expect(shape).toEqual([16 * 4 * 17, width]);
    const request = await inputOf("image");
    const images = new Array(17).fill(request.images[0]);
    await expect(run(engine, { ...request, images })).rejects.toThrow(
      "17 images, expected at most 16",
    );
  });

  test("can be reached, and all images are right", async () => {
    const request = await inputOf("image");
    const [image = expect.fail()] = request.images;
    const [other = expect.fail()] = (await inputOf("two_turns")).images; // of one tile
    const { imageTokenId } = model.processor;
    const images = Array.from({ length: 16 }, (_, i) => {
      return { ...(i % 2 ? image : other), key: `${i}` };
    });
    const ids = [...images.flatMap((_, i) => [imageTokenId, 40 + i]), ...request.ids.slice(7)];
    const many = { ...request, ids, images, maxTokens: 8 };
    // The last image has four tiles. Rows between the images attend to others.
    const { ids: answer, encoded } = await run(engine, many);
    expect(encoded).toBe(16);
    expect((await run(fresh, many)).ids).toEqual(answer);
    expect(await run(engine, many)).toMatchObject({ ids: answer, encoded: 0 });
  });
});
