import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import images from "../../e2e/goldens/images.json";
import { IMAGE_FILES, expectDecoded, overWhite } from "../../tests/image-files.ts";
import { decodeNodeImage } from "./node-image.ts";

const GOLDENS = join(import.meta.dirname, "../../e2e/goldens");
const FOLDER = join(GOLDENS, "images");

async function decodeFile(path: string) {
  const image = await decodeNodeImage(new Blob([await readFile(path)]));
  return { ...image, source: image.source as Uint8Array };
}

test.each(images)("$file decodes to the reference's bytes", async (golden) => {
  const { width, height, source } = await decodeFile(join(FOLDER, golden.file));
  expect([width, height]).toEqual([golden.upright_width, golden.upright_height]);
  const actual = createHash("sha256").update(overWhite(source)).digest("hex");
  expect(actual).toBe(golden.rgb_sha256);
});

// The same table as in decode-image.gpu.test.ts: a page and Node agree.
test.each(IMAGE_FILES)("$file is what a page makes of it", async (golden) => {
  const image = await decodeFile(join(GOLDENS, "image-files", golden.file)).catch(() => undefined);
  expectDecoded(golden, image && { ...image, rgba: image.source });
});

test("bytes that are not an image are rejected", async () => {
  const text = new Blob(["not an image"], { type: "image/png" });
  await expect(decodeNodeImage(text)).rejects.toThrow("12 bytes of image/png");
  await expect(decodeNodeImage(new Blob([]))).rejects.toThrow("0 bytes of unknown type");
});

test("SVG is rejected, as in a browser", async () => {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"></svg>`;
  await expect(decodeNodeImage(new Blob([svg]))).rejects.toThrow("svg is not supported");
});

test.each(["bmp24.bmp", "ico_bmp.ico", "apng_part.png", "png_rgb.png"])(
  "the limit of pixels counts for %s",
  async (file) => {
    const bytes = new Blob([await readFile(join(GOLDENS, "image-files", file))]);
    await expect(decodeNodeImage(bytes, 34)).rejects.toThrow(RangeError);
  },
);

test("an image with too many pixels is rejected", async () => {
  const bytes = new Blob([await readFile(join(FOLDER, "large.png"))]);
  await expect(decodeNodeImage(bytes, 600 * 420 - 1)).rejects.toThrow(RangeError);
  await expect(decodeNodeImage(bytes, 600 * 420)).resolves.toMatchObject({
    width: 600,
    height: 420,
  });
});
