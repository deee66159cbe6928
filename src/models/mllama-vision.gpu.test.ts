import { expect, test } from "vitest";
import { expectClose, random, testGpu } from "../../tests/support.ts";
import { makeWeight } from "../../tests/weight-formats.ts";
import { Graph } from "../gpu/graph.ts";
import { splitRows, type Weight } from "../gpu/weight.ts";
import { embed } from "../ops/embed.ts";
import { IDLE_ROW, ROW_WORDS, writeRow } from "../ops/row.ts";
import { allocateWeight } from "../weights/allocate-weight.ts";
import type { WeightFormat } from "../weights/format.ts";
import { f16 } from "../weights/formats/f16.ts";
import { f32 } from "../weights/formats/f32.ts";
import { q4 } from "../weights/formats/q4.ts";
import { q6 } from "../weights/formats/q6.ts";
import { q8 } from "../weights/formats/q8.ts";
import { projectStates } from "./mllama-vision.ts";
import type { Weights } from "./model.ts";

test("the projector gives the same however many rows it computes at a time", async () => {
  const gpu = await testGpu();
  const [T, rows, D, O] = [23, 19, 8, 12];
  const matrix = await makeWeight(gpu, random(O * 3 * D, 9), [O, 3 * D], f32);
  const weights = {
    matrix: () => matrix,
    vector: () => gpu.constant("projector bias", [O], "f32", () => random(O, 8)),
  } as unknown as Weights;
  const state = (seed: number) => gpu.tensor("state", [T, D], "f32", random(T * D, seed));
  const states = { final: state(1), intermediate: [state(2), state(3)] };
  const projected = async (maxRows?: number): Promise<Float32Array> => {
    const g = new Graph(gpu);
    const y = g.keep(projectStates(g, weights, states, rows, maxRows));
    expect(y.shape).toEqual([rows, O]);
    const plan = await g.compile();
    plan.submit();
    return gpu.read(y);
  };
  const whole = await projected();
  for (const maxRows of [1, 5, 18, 19]) expectClose(await projected(maxRows), whole, 1e-6);
});

test.each([f32, f16, q8, q6, q4])(
  "weight rows split into shorter ones, in $name",
  async (format) => {
    const gpu = await testGpu();
    const [O, count, D] = [5, 3, 64];
    // The limit cuts the matrix into slices.
    const options = { maxBytes: 2 * count * D * 4 };
    const values = random(O * count * D, 4);
    const wide = await makeWeight(gpu, values, [O, count * D], format, options);
    const narrow = await makeWeight(gpu, values, [O * count, D], format);
    const words = new Uint32Array(O * count * ROW_WORDS);
    for (let i = 0; i < O * count; i++) writeRow(words, i, { ...IDLE_ROW, token: i });
    const rows = gpu.tensor("rows", [O * count, ROW_WORDS], "u32", words);
    const lookedUp = async (table: Weight): Promise<Float32Array> => {
      const g = new Graph(gpu);
      const y = g.keep(embed(g, rows, table));
      const plan = await g.compile();
      plan.submit();
      return gpu.read(y);
    };
    expect(await lookedUp(splitRows(wide, D))).toEqual(await lookedUp(narrow));
  },
);

test("weight rows are not split within a block", async () => {
  const gpu = await testGpu();
  const cut = (format: WeightFormat, D: number) => () =>
    splitRows(allocateWeight(gpu, "w", [2, 96], format), D);
  expect(cut(q8, 48)).toThrow("splitRows: w has rows of 96 in q8, which can't be cut to 48");
  expect(cut(q4, 48)).toThrow(TypeError);
  expect(cut(f32, 36)).toThrow(TypeError);
  expect(cut(f32, 48)().shape).toEqual([4, 48]);
});
