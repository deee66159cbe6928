import { describe, expect, test } from "vitest";
import { goldenImages, goldenImage } from "../../tests/images.ts";
import { random, testGpu } from "../../tests/support.ts";
import { bufferOf } from "../gpu/tensor.ts";
import type { DecodedImage } from "../platform/platform.ts";
import { uploadImage } from "./upload-image.ts";

async function upload(image: DecodedImage): Promise<Uint8Array<ArrayBuffer>> {
  const gpu = await testGpu();
  const before = gpu.bytes;
  const pixels = await uploadImage(gpu, image);
  expect(pixels.shape).toEqual([image.height, image.width]);
  const bytes = new Uint8Array(await gpu.readBytes(pixels));
  gpu.release(bufferOf(pixels));
  expect(gpu.bytes).toBe(before);
  return bytes;
}

/** Opaque noise. */
function noise(width: number, height: number): Uint8Array<ArrayBuffer> {
  const words = Uint32Array.from(random(width * height), (v) => (v + 1) * 2 ** 31);
  return new Uint8Array(words.map((word) => (word | 0xff000000) >>> 0).buffer);
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

describe("decoded images equal the reference's to the byte", () => {
  test.each(goldenImages)("$file", async (image) => {
    const decoded = await goldenImage(image.file);
    expect([decoded.width, decoded.height]).toEqual([image.upright_width, image.upright_height]);
    const rgba = await upload(decoded);
    const rgb = rgba.filter((_, i) => i % 4 !== 3);
    expect(await sha256(rgb)).toBe(image.rgb_sha256);
  });
});

describe("uploadImage", () => {
  // The last three exceed a block, the width of a texture, and its height.
  test.each([
    [1, 1],
    [1500, 1500],
    [20_000, 3],
    [3, 20_000],
  ])("bytes and bitmap of %i x %i", async (width, height) => {
    const bytes = noise(width, height);
    expect(same(await upload({ width, height, source: bytes }), bytes)).toBe(true);
    const data = new ImageData(new Uint8ClampedArray(bytes.buffer), width, height);
    const source = await createImageBitmap(data, { premultiplyAlpha: "none" });
    expect(same(await upload({ width, height, source }), bytes)).toBe(true);
  });

  test("blends transparent bytes with white", async () => {
    const source = Uint8Array.of(10, 20, 30, 0, 10, 20, 30, 255, 0, 100, 255, 128);
    const bytes = await upload({ width: 3, height: 1, source });
    expect([...bytes]).toEqual([255, 255, 255, 255, 10, 20, 30, 255, 127, 177, 255, 255]);
  });

  test("refuses images without pixels, of the wrong number of bytes, or too large", async () => {
    const gpu = await testGpu();
    const source = new Uint8Array(16);
    await expect(uploadImage(gpu, { width: 0, height: 4, source })).rejects.toThrow("0 x 4");
    await expect(uploadImage(gpu, { width: 3, height: 1, source })).rejects.toThrow(
      "16 bytes, expected 12",
    );
    const huge = { width: 100_000, height: 100_000 };
    const bitmap = await createImageBitmap(new ImageData(1, 1));
    await expect(uploadImage(gpu, { ...huge, source: bitmap })).rejects.toThrow(RangeError);
  });
});
