import { expect, test } from "vitest";
import { LARGE, IMAGE_FILES, expectDecoded } from "../../tests/image-files.ts";
import { goldenImage } from "../../tests/images.ts";
import { testGpu } from "../../tests/support.ts";
import { bufferOf } from "../gpu/tensor.ts";
import { uploadImage } from "../image/upload-image.ts";
import { decodeImage } from "./decode-image.ts";

test("an image is decoded upright", async () => {
  const { width, height } = await goldenImage("rotated.jpg"); // stored as 140 x 90
  expect([width, height]).toEqual([90, 140]);
});

// The same table as in node-image.test.ts: a page and Node agree.
test.each(IMAGE_FILES)("$file is what Node makes of it", async (golden) => {
  const url = new URL(`../../e2e/goldens/image-files/${golden.file}`, import.meta.url);
  const image = await decodeImage(await (await fetch(url)).blob()).catch(() => undefined);
  if (!image || image.width * image.height > LARGE) return expectDecoded(golden, image);
  const gpu = await testGpu();
  const pixels = await uploadImage(gpu, image);
  const rgba = new Uint8Array(await gpu.readBytes(pixels));
  gpu.release(bufferOf(pixels));
  expectDecoded(golden, { ...image, rgba });
});

test("bytes that are not an image are rejected", async () => {
  const text = new Blob(["not an image"], { type: "image/png" });
  await expect(decodeImage(text)).rejects.toThrow("12 bytes of image/png");
  await expect(decodeImage(new Blob([]))).rejects.toThrow("0 bytes of unknown type");
});

test("works in a worker", async () => {
  const worker = new Worker(new URL("../../tests/decode-worker.ts", import.meta.url), {
    type: "module",
  });
  const size = await new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(message));
    worker.postMessage("alpha.png");
  });
  worker.terminate();
  expect(size).toEqual([90, 90]);
});
