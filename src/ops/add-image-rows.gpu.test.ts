import { describe, expect, test } from "vitest";
import { expectClose, random, runOp, testGpu } from "../../tests/support.ts";
import { addImageRows } from "./add-image-rows.ts";
import { IDLE_ROW, ROW_WORDS, writeRow } from "./row.ts";

describe("addImageRows", () => {
  test.each([
    { T: 1, V: 5, N: 1, D: 4 },
    { T: 9, V: 100, N: 7, D: 260 },
    { T: 70, V: 64, N: 64, D: 2048 },
    { T: 65_600, V: 50, N: 50, D: 4 },
  ])("$T rows of $D, $N image rows", async ({ T, V, N, D }) => {
    const gpu = await testGpu();
    const x = random(T * D, 1);
    const states = random(N * D, 2);
    const words = new Uint32Array(T * ROW_WORDS);
    // The limits first: first and last image row, first and last id of the vocabulary.
    const borders = [V, V + N - 1, 0, V - 1];
    const tokens = Array.from(random(T, 3), (r, t) => {
      return borders[t] ?? Math.floor(((r + 1) / 2) * (V + N));
    });
    tokens.forEach((token, t) => writeRow(words, t, { ...IDLE_ROW, token }));

    const y = await runOp(gpu, (g) =>
      addImageRows(
        g,
        gpu.tensor("rows", [T, ROW_WORDS], "u32", words),
        gpu.tensor("x", [T, D], "f32", x),
        gpu.tensor("states", [N, D], "f32", states),
        V,
      ),
    );
    const expected = x.map((value, i) => {
      const token = tokens[Math.floor(i / D)] as number;
      return token < V ? value : value + (states[(token - V) * D + (i % D)] as number);
    });
    expectClose(y, expected, 0);
  });

  test("rejects shapes that don't fit", async () => {
    const gpu = await testGpu();
    const run = (rows: readonly number[], D: number, S: number) =>
      runOp(gpu, (g) => {
        const states = gpu.tensor("states", [1, S]);
        return addImageRows(g, gpu.tensor("rows", rows, "u32"), gpu.tensor("x", [2, D]), states, 9);
      });
    await expect(run([3, ROW_WORDS], 8, 8)).rejects.toThrow(
      "addImageRows: rows are [3,12], expected [2,12]",
    );
    await expect(run([2, ROW_WORDS], 6, 6)).rejects.toThrow("D is 6, expected a multiple of 4");
    await expect(run([2, ROW_WORDS], 8, 4)).rejects.toThrow("states are [1,4], expected [N, 8]");
  });
});
