import { beforeAll, expect, test } from "vitest";
import { qwen25Vl3b } from "../../bench/model/qwen-shapes.ts";
import { randomCheckpoint } from "../../bench/model/random-checkpoint.ts";
import { buildEngine, generate } from "../../tests/golden.ts";
import { expectClose, random, smallestGpu } from "../../tests/support.ts";
import type { Gpu } from "../gpu/device.ts";
import { Graph } from "../gpu/graph.ts";
import { bufferOf } from "../gpu/tensor.ts";
import { embed } from "../ops/embed.ts";
import { linear } from "../ops/linear.ts";
import { IDLE_ROW, ROW_WORDS, writeRow } from "../ops/row.ts";
import { allocateWeight } from "../weights/format.ts";
import { GpuWeights } from "../weights/gpu-weights.ts";
import { writeWeightRows } from "../weights/write.ts";
import { createModel } from "./registry.ts";

/** Random weights know no end of an answer. */
const ENDLESS = { "generation_config.json": { eos_token_id: [] } };

/** Qwen2.5-VL-3B's vocabulary and width. */
const [V, D] = [151_936, 2048];

let gpu: Gpu;

beforeAll(async () => {
  gpu = await smallestGpu();
  return () => gpu.destroy();
});

test("Qwen2.5-VL-3B's shapes run within the default limits, prompts as decode steps do", async () => {
  const checkpoint = randomCheckpoint(qwen25Vl3b(1, 2));
  const model = createModel(checkpoint.files);
  const weights = new GpuWeights(gpu, checkpoint, { quantization: "q4", rename: model.rename });
  const engine = buildEngine(gpu, model, weights, { contextLength: 64, prefillRows: 40 });
  const prepared = engine.prepare();
  await weights.load(checkpoint);
  await prepared;
  gpu.throwIfFailed();

  // 10 x 12 patches: windows that are cut off at both edges, and idle rows behind.
  const [width, height] = [168, 140];
  const pixels = random(4 * width * height, 7);
  const bytes = Uint8ClampedArray.from(pixels, (x, i) => (i % 4 === 3 ? 255 : 128 * (x + 1)));
  const picture = {
    width,
    height,
    source: await createImageBitmap(new ImageData(bytes, width, height)),
  };
  const layout = model.processor.layout(width, height, "auto");
  expect(layout.grid).toEqual([10, 12]);
  const { imageTokenId } = model.processor;
  const ids = [1, V - 1, ...new Array<number>(layout.tokenCount).fill(imageTokenId), 9];

  const logitsAfter = async (prompt: number[], maxTokens: number) => {
    const images = [{ picture, layout }];
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

test("a vocabulary of 1.2 GB in f32 is cut into bindings, looked up and multiplied", async () => {
  const table = allocateWeight(gpu, "embed_tokens", V, D, "f32");
  expect(table.slices.length).toBe(10);
  // Each row begins elsewhere in a pool of numbers: the pool's rest is prime, and longer than V.
  const pool = random(152_003 + D, 3);
  const row = (o: number) => pool.subarray((o * 6151) % 152_003).subarray(0, D);
  const rows = 2048;
  const chunk = new Float32Array(rows * D);
  for (let first = 0; first < V; first += rows) {
    const count = Math.min(rows, V - first);
    for (let o = 0; o < count; o++) chunk.set(row(first + o), o * D);
    const bytes = new Uint8Array(chunk.buffer, 0, count * D * 4);
    await writeWeightRows(gpu, table, first, count, bytes, "F32");
  }

  const edges = table.slices.flatMap(({ first, rows }) => [first, first + rows - 1]);
  const words = new Uint32Array(edges.length * ROW_WORDS);
  edges.forEach((token, i) => writeRow(words, i, { ...IDLE_ROW, token }));
  const tokens = gpu.tensor("rows", [edges.length, ROW_WORDS], "u32", words);
  const images = gpu.tensor("images", [1, D]);
  const input = random(D, 5);
  const x = gpu.tensor("x", [1, D], "f32", input);
  const g = new Graph(gpu);
  const embedded = g.keep(embed(g, tokens, table, images));
  const logits = g.keep(linear(g, x, table));
  const plan = await g.compile();
  plan.submit();

  expect(await gpu.read(embedded)).toEqual(Float32Array.from(edges.flatMap((o) => [...row(o)])));
  const expected = Float64Array.from({ length: V }, (_, o) => {
    const weights = row(o);
    let sum = 0;
    for (let i = 0; i < D; i++) sum += (weights[i] as number) * (input[i] as number);
    return sum;
  });
  expectClose(await gpu.read(logits), expected, 1e-5);
  gpu.throwIfFailed();
  plan.dispose();
  for (const { parts } of table.slices) for (const part of parts) gpu.release(bufferOf(part));
});
