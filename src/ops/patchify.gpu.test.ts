import { describe, expect, test } from "vitest";
import { expectClose, random, testGpu } from "../../tests/support.ts";
import { type Normalization, type PatchFormat, compilePatchify } from "./patchify.ts";
import type { Rectangle } from "./unpack-image.ts";

const CLIP = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
  rescale: 1 / 255,
};
const NONE = { mean: [0, 0, 0], std: [1, 1, 1], rescale: 1 };

/** RGB of pixels beyond the image. */
const BACKGROUND = [9, 200, 31];

/** The patches of a tile `[P, 3 * frames * patchSize²]`, in their order. */
function patchesOf(bytes: Uint8Array, W: number, tile: Rectangle, format: PatchFormat): number[] {
  const H = bytes.length / 4 / W;
  const { patchSize: p, merge, frames, channelsLast, mean, std, rescale } = format;
  const block = p * merge;
  const values: number[] = [];
  const valueAt = (c: number, y: number, x: number) => {
    const inside = x >= 0 && x < W && y >= 0 && y < H;
    const byte = (inside ? bytes[(y * W + x) * 4 + c] : BACKGROUND[c]) as number;
    return (byte * rescale - (mean[c] as number)) / (std[c] as number);
  };
  const push = (top: number, left: number) => {
    for (const channels of channelsLast ? [[0, 1, 2]] : [[0], [1], [2]]) {
      for (let frame = 0; frame < frames; frame++) {
        for (let y = top; y < top + p; y++) {
          for (let x = left; x < left + p; x++) {
            for (const c of channels) values.push(valueAt(c, y, x));
          }
        }
      }
    }
  };
  for (let y = 0; y + block <= tile.height; y += block) {
    for (let x = 0; x + block <= tile.width; x += block) {
      for (let dy = 0; dy < block; dy += p) {
        for (let dx = 0; dx < block; dx += p) push(tile.y + y + dy, tile.x + x + dx);
      }
    }
  }
  return values;
}

describe("patchify", () => {
  const variant = (
    [p, merge, frames]: readonly [number, number, number],
    [W, H]: readonly [number, number],
    [x, y, width, height]: readonly [number, number, number, number],
    scale: Normalization = CLIP,
    channelsLast = false,
  ) => ({
    format: { patchSize: p, merge, frames, channelsLast, ...scale },
    W,
    H,
    tile: { x, y, width, height },
  });

  test.each([
    variant([4, 1, 1], [8, 12], [0, 0, 8, 12]),
    variant([14, 1, 1], [60, 40], [3, 5, 56, 28]),
    variant([16, 1, 1], [37, 50], [2, 1, 35, 47]),
    variant([1, 1, 1], [5, 3], [4, 2, 1, 1], NONE),
    variant([14, 2, 2], [84, 56], [0, 0, 84, 56]),
    variant([16, 2, 2], [32, 160], [0, 0, 32, 160]),
    variant([3, 2, 1], [50, 31], [5, 2, 44, 29]),
    variant([2, 3, 3], [30, 20], [1, 1, 28, 18]),
    variant([5, 1, 2], [21, 16], [0, 1, 20, 15]),
    variant([4, 1, 1], [5, 30], [-11, 0, 28, 32]),
    variant([2, 2, 2], [30, 5], [10, -9, 24, 20]),
    variant([4, 1, 1], [5, 3], [8, 0, 8, 4]),
    variant([16, 2, 1], [70, 50], [3, -9, 64, 64], CLIP, true),
    variant([3, 1, 2], [20, 11], [0, 0, 20, 11], CLIP, true),
  ])(
    "$format.patchSize px, merge $format.merge, $format.frames frames, last $format.channelsLast, $tile",
    async ({ format, W, H, tile }) => {
      const gpu = await testGpu();
      const words = Uint32Array.from(random(W * H), (v) => (v + 1) * 2 ** 31);
      const expected = patchesOf(new Uint8Array(words.buffer), W, tile, format);
      const values = 3 * format.frames * format.patchSize ** 2;
      const P = expected.length / values;
      const first = 2;
      const T = first + P + 1;
      const into = gpu.tensor("into", [T, values], "f32", new Float32Array(T * values).fill(7));
      const patchify = await compilePatchify(gpu, format);
      const image = gpu.tensor("image", [H, W], "u32", words);
      const background = 9 | (200 << 8) | (31 << 16);
      expect(patchify(image, tile, into, first, background)).toBe(P);
      const written = await gpu.read(into);
      expectClose(written.slice(first * values, -values), expected, 1e-6);
      for (const untouched of [written.slice(0, first * values), written.slice(-values)]) {
        expect(new Set(untouched)).toEqual(new Set([7]));
      }
    },
  );

  test("rejects a tensor that is too small", async () => {
    const gpu = await testGpu();
    const patchify = await compilePatchify(gpu, { patchSize: 2, merge: 2, frames: 2, ...NONE });
    const image = gpu.tensor("image", [4, 4], "u32");
    const tile = { x: 0, y: 0, width: 4, height: 4 };
    expect(() => patchify(image, tile, gpu.tensor("into", [4, 24]), 1)).toThrow("expected 5 rows");
    expect(() => patchify(image, tile, gpu.tensor("into", [4, 12]), 0)).toThrow("into is [4,12]");
  });
});
