import { describe, expect, test } from "vitest";
import { expectClose, random, runOp, testGpu } from "../../tests/support.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Weight } from "../gpu/weight.ts";
import { embed } from "./embed.ts";
import { IDLE_ROW, ROW_WORDS, writeRow } from "./row.ts";

const F32 = `
@group(1) @binding(0) var<storage, read> w: array<vec4f>;  // [O, D/4]
fn weight4(o: u32, i: u32) -> vec4f { return w[o * (D / 4u) + i]; }
`;

/** `values` `[V, D]` as an f32 weight in slices of at most `sliceRows` rows. */
function table(gpu: Gpu, values: Float32Array, D: number, sliceRows: number): Weight {
  const V = values.length / D;
  const format = { name: "f32", code: F32, constants: {}, blockSize: 4 };
  const slices = [];
  for (let first = 0; first < V; first += sliceRows) {
    const rows = Math.min(sliceRows, V - first);
    const part = values.subarray(first * D, (first + rows) * D);
    slices.push({ first, rows, format, parts: [gpu.tensor("w", [rows, D], "f32", part)] });
  }
  return { label: "w", shape: [V, D], slices };
}

describe("embed", () => {
  test.each([
    { T: 1, V: 5, N: 1, D: 4, sliceRows: 5 },
    { T: 9, V: 100, N: 7, D: 260, sliceRows: 100 },
    { T: 300, V: 1000, N: 64, D: 576, sliceRows: 300 },
    { T: 40, V: 64, N: 3, D: 32, sliceRows: 32 },
    { T: 65_600, V: 50, N: 50, D: 4, sliceRows: 20 },
    { T: 40, V: 64, N: 3, D: 32, sliceRows: 32, scale: 50.5 },
  ])("$T rows of [$V, $D] + [$N, $D] images, slices of $sliceRows", async (size) => {
    const { T, V, N, D, sliceRows, scale } = size;
    const gpu = await testGpu();
    const values = random(V * D, 1);
    const images = random(N * D, 2);
    const words = new Uint32Array(T * ROW_WORDS);
    // The limits first: first and last id of the vocabulary, first and last image row.
    const borders = [V, 0, V - 1, V + N - 1];
    const tokens = Array.from(random(T, 3), (x, t) => {
      return borders[t] ?? Math.floor(((x + 1) / 2) * (V + N));
    });
    tokens.forEach((token, t) => writeRow(words, t, { ...IDLE_ROW, token }));

    const y = await runOp(gpu, (g) =>
      embed(
        g,
        gpu.tensor("rows", [T, ROW_WORDS], "u32", words),
        table(gpu, values, D, sliceRows),
        gpu.tensor("images", [N, D], "f32", images),
        scale === undefined ? {} : { scale },
      ),
    );
    const both = [...values.map((value) => value * (scale ?? 1)), ...images];
    const expected = tokens.flatMap((token) => both.slice(token * D, token * D + D));
    expectClose(y, expected, 0);
  });

  test("rejects shapes that don't fit", async () => {
    const gpu = await testGpu();
    const run = (D: number, I: number) =>
      runOp(gpu, (g) => {
        const rows = gpu.tensor("rows", [2, ROW_WORDS], "u32");
        return embed(g, rows, table(gpu, random(3 * D), D, 3), gpu.tensor("images", [1, I]));
      });
    await expect(run(8, 4)).rejects.toThrow("embed: images are [1,4], expected [N, 8]");
    await expect(run(6, 6)).rejects.toThrow("embed: D is 6, expected a multiple of 4");
  });
});
