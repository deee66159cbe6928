import type { DecodedImage } from "./platform.ts";

/**
 * Decodes an image in a page or worker: upright by its EXIF orientation, with straight alpha, and
 * without converting colors by its profile.
 *
 * @throws Error when the browser can't decode it
 */
export async function decodeImage(bytes: Blob): Promise<DecodedImage> {
  try {
    const source = await createImageBitmap(bytes, {
      imageOrientation: "from-image",
      premultiplyAlpha: "none",
      colorSpaceConversion: "none",
    });
    return { width: source.width, height: source.height, source };
  } catch (cause) {
    const kind = bytes.type || "unknown type";
    throw new Error(
      `decodeImage: ${bytes.size} bytes of ${kind} are not an image that this browser can decode`,
      { cause },
    );
  }
}
