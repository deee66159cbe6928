import { describe, expect, test } from "vitest";
import { expectClose, random, testGpu } from "../../tests/support.ts";
import { compilePatchify } from "./patchify.ts";

const CLIP = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
  rescale: 1 / 255,
};
const NONE = { mean: [0, 0, 0], std: [1, 1, 1], rescale: 1 };

describe("patchify", () => {
  test.each([
    { p: 4, W: 8, H: 12, tile: { x: 0, y: 0, width: 8, height: 12 }, scale: CLIP },
    { p: 14, W: 60, H: 40, tile: { x: 3, y: 5, width: 56, height: 28 }, scale: CLIP },
    { p: 16, W: 37, H: 50, tile: { x: 2, y: 1, width: 35, height: 47 }, scale: CLIP },
    { p: 1, W: 5, H: 3, tile: { x: 4, y: 2, width: 1, height: 1 }, scale: NONE },
  ])("p = $p, $tile", async ({ p, W, H, tile, scale }) => {
    const gpu = await testGpu();
    const words = Uint32Array.from(random(W * H), (v) => (v + 1) * 2 ** 31);
    const bytes = new Uint8Array(words.buffer);
    const [rows, columns] = [Math.floor(tile.height / p), Math.floor(tile.width / p)];
    const expected: number[] = [];
    for (let index = 0; index < rows * columns; index++) {
      for (const c of [0, 1, 2]) {
        for (let i = 0; i < p * p; i++) {
          const y = tile.y + Math.floor(index / columns) * p + Math.floor(i / p);
          const x = tile.x + (index % columns) * p + (i % p);
          const byte = bytes[(y * W + x) * 4 + c] as number;
          expected.push(
            (byte * scale.rescale - (scale.mean[c] as number)) / (scale.std[c] as number),
          );
        }
      }
    }

    const values = 3 * p * p;
    const first = 2;
    const T = first + rows * columns + 1;
    const into = gpu.tensor("into", [T, values], "f32", new Float32Array(T * values).fill(7));
    const patchify = await compilePatchify(gpu, p, scale);
    patchify(gpu.tensor("picture", [H, W], "u32", words), tile, into, first);
    const written = await gpu.read(into);
    expectClose(written.slice(first * values, -values), expected, 1e-6);
    for (const untouched of [written.slice(0, first * values), written.slice(-values)]) {
      expect(new Set(untouched)).toEqual(new Set([7]));
    }
  });

  test("refuses a tensor that is too small", async () => {
    const gpu = await testGpu();
    const patchify = await compilePatchify(gpu, 2, NONE);
    const picture = gpu.tensor("picture", [4, 4], "u32");
    const tile = { x: 0, y: 0, width: 4, height: 4 };
    expect(() => patchify(picture, tile, gpu.tensor("into", [4, 12]), 1)).toThrow(
      "expected 5 rows",
    );
    expect(() => patchify(picture, tile, gpu.tensor("into", [4, 13]), 0)).toThrow("into is [4,13]");
  });
});
