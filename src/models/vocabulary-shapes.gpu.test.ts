import { beforeAll, expect, test } from "vitest";
import { expectClose, random, smallestGpu } from "../../tests/support.ts";
import type { Gpu } from "../gpu/device.ts";
import { Graph } from "../gpu/graph.ts";
import { bufferOf } from "../gpu/tensor.ts";
import { embed } from "../ops/embed.ts";
import { linear } from "../ops/linear.ts";
import { IDLE_ROW, ROW_WORDS, writeRow } from "../ops/row.ts";
import { allocateWeight } from "../weights/allocate-weight.ts";
import { f32 } from "../weights/formats/f32.ts";
import { WeightWriter } from "../weights/weight-writer.ts";

let gpu: Gpu;

beforeAll(async () => {
  gpu = await smallestGpu();
  return () => gpu.destroy();
});

test.each([
  { name: "Qwen2.5-VL-3B", V: 151_936, D: 2048, prime: 152_003, slices: 10 },
  { name: "Gemma 3 4B", V: 262_208, D: 2560, prime: 262_217, slices: 21 },
])(
  "a vocabulary of $name's size in f32 is cut into bindings, looked up and multiplied",
  async (c) => {
    const { V, D } = c;
    const table = allocateWeight(gpu, "embed_tokens", [V, D], f32);
    expect(table.slices.length).toBe(c.slices);
    // Each row begins elsewhere in a pool of numbers: the pool's rest is prime, and longer than V.
    const pool = random(c.prime + D, 3);
    const row = (o: number) => pool.subarray((o * 6151) % c.prime).subarray(0, D);
    const writer = new WeightWriter(gpu);
    const rows = 2048;
    const chunk = new Float32Array(rows * D);
    for (let first = 0; first < V; first += rows) {
      const count = Math.min(rows, V - first);
      for (let o = 0; o < count; o++) chunk.set(row(first + o), o * D);
      const bytes = new Uint8Array(chunk.buffer, 0, count * D * 4);
      await writer.pack(table, first, count, bytes, f32);
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
  },
);
