import { expect, test } from "vitest";
import { testGpu } from "../../tests/support.ts";
import { compileUnpackImage } from "./unpack-image.ts";

/** Pillow's `Image.alpha_composite` over opaque white, for one channel. */
function overWhite(value: number, alpha: number): number {
  const sum = 128 * (value * alpha + 255 * (255 - alpha)) + 0x4000;
  return (((sum >> 8) + sum) >> 8) >> 7;
}

test("every value at every alpha, as Pillow blends them", async () => {
  const gpu = await testGpu();
  const words = Uint32Array.from({ length: 256 * 256 }, (_, i) => {
    const [value, alpha] = [i & 255, i >> 8];
    return (value | ((255 - value) << 8) | (alpha << 16) | (alpha << 24)) >>> 0;
  });
  const rgba = gpu.tensor("rgba", [256, 256], "u32", words);
  const image = gpu.tensor("image", [256, 256], "u32");
  const unpack = await compileUnpackImage(gpu);
  unpack(rgba, { x: 0, y: 0, width: 256, height: 256 }, image);
  const bytes = new Uint8Array(await gpu.readBytes(image));
  const expected = Array.from({ length: 256 * 256 }, (_, i) => {
    const [value, alpha] = [i & 255, i >> 8];
    return [value, 255 - value, alpha].map((c) => overWhite(c, alpha)).concat(255);
  }).flat();
  expect(bytes.findIndex((byte, i) => byte !== expected[i])).toBe(-1);
});

test("a block is written at its position and nowhere else", async () => {
  const gpu = await testGpu();
  const opaque = (i: number) => (0xff000000 | i) >>> 0;
  const rgba = gpu.tensor(
    "rgba",
    [3, 8],
    "u32",
    Uint32Array.from({ length: 24 }, (_, i) => opaque(i)),
  );
  const image = gpu.tensor("image", [4, 7], "u32");
  const unpack = await compileUnpackImage(gpu);
  unpack(rgba, { x: 5, y: 1, width: 2, height: 3 }, image);
  const words = new Uint32Array(await gpu.readBytes(image));
  const expected = new Uint32Array(28);
  for (const y of [0, 1, 2]) {
    for (const x of [0, 1]) expected[(y + 1) * 7 + x + 5] = opaque(y * 8 + x);
  }
  expect(words).toEqual(expected);
});
