import images from "../e2e/goldens/images.json";
import { decodeImage } from "../src/platform/decode-image.ts";
import type { DecodedImage } from "../src/platform/platform.ts";

/** The test images, each with the reference's decoded pixels. */
export const goldenImages = images;

/** Fetches and decodes a test image, in a browser. */
export async function goldenImage(file: string): Promise<DecodedImage> {
  const response = await fetch(new URL(`../e2e/goldens/images/${file}`, import.meta.url));
  return decodeImage(await response.blob());
}
