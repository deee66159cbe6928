import { decodeImage } from "../src/platform/decode-image.ts";
import type { Picture } from "../src/platform/platform.ts";
import images from "../e2e/goldens/images.json";

/** The test pictures, and the reference's decoding of each. */
export const goldenImages = images;

/** Fetches and decodes a test picture, in a browser. */
export async function goldenPicture(file: string): Promise<Picture> {
  const response = await fetch(new URL(`../e2e/goldens/images/${file}`, import.meta.url));
  return decodeImage(await response.blob());
}
