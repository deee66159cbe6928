import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import images from "../../e2e/goldens/images.json";
import { decodeNodeImage } from "./node-image.ts";

const FOLDER = join(import.meta.dirname, "../../e2e/goldens/images");

async function decodeFile(file: string) {
  const image = await decodeNodeImage(new Blob([await readFile(join(FOLDER, file))]));
  return { ...image, source: image.source as Uint8Array };
}

/** @returns RGB over a white background, as the reference recorded it */
function overWhite(rgba: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let i = 0; i < rgba.length / 4; i++) {
    const alpha = rgba[4 * i + 3] as number;
    for (let c = 0; c < 3; c++) {
      const value = rgba[4 * i + c] as number;
      rgb[3 * i + c] = Math.floor((value * alpha + 255 * (255 - alpha)) / 255 + 0.5);
    }
  }
  return rgb;
}

test.each(images)("$file decodes to the reference's bytes", async (golden) => {
  const { width, height, source } = await decodeFile(golden.file);
  expect([width, height]).toEqual([golden.upright_width, golden.upright_height]);
  const actual = createHash("sha256").update(overWhite(source)).digest("hex");
  expect(actual).toBe(golden.rgb_sha256);
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

test("an image with too many pixels is rejected", async () => {
  const bytes = new Blob([await readFile(join(FOLDER, "large.png"))]);
  await expect(decodeNodeImage(bytes, 600 * 420 - 1)).rejects.toThrow(RangeError);
  await expect(decodeNodeImage(bytes, 600 * 420)).resolves.toMatchObject({
    width: 600,
    height: 420,
  });
});
