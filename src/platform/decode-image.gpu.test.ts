import { expect, test } from "vitest";
import { goldenImage } from "../../tests/images.ts";
import { decodeImage } from "./decode-image.ts";

test("an image is decoded upright", async () => {
  const { width, height } = await goldenImage("rotated.jpg"); // stored as 140 x 90
  expect([width, height]).toEqual([90, 140]);
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
