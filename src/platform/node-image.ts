import { importOptional } from "./node-optional.ts";
import type { DecodedImage } from "./platform.ts";

/** A quarter of a gigabyte of RGBA. */
const MAX_PIXELS = 2 ** 26;

/** What browsers decode too; sharp would also render SVG, and read what that refers to. */
const FORMATS = ["png", "jpeg", "webp", "gif", "heif", "tiff"];

/**
 * Decodes an image in Node as `decode-image.ts` does in a browser: its first frame, upright by its
 * EXIF orientation, with straight alpha, and with the bytes of the file as they are, whatever its
 * colour profile.
 *
 * @param maxPixels more are not decoded
 * @throws Error when it is no image that sharp decodes, RangeError when it is a larger one
 */
export async function decodeImage(bytes: Blob, maxPixels = MAX_PIXELS): Promise<DecodedImage> {
  const { default: sharp } = await importOptional("sharp", () => import("sharp"));
  try {
    const options = { ignoreIcc: true, limitInputPixels: false, failOn: "error" } as const;
    const image = sharp(await bytes.arrayBuffer(), options);
    const header = await image.metadata();
    if (!FORMATS.includes(header.format)) throw new Error(`${header.format} is not supported`);
    if (header.width * header.height > maxPixels) {
      throw new RangeError(
        `The image is ${header.width} x ${header.height} pixels, more than ${maxPixels} in all.`,
      );
    }
    const isInk = header.space === "cmyk";
    const upright = image.autoOrient();
    const pixels = isInk
      ? upright.pipelineColourspace("cmyk").toColourspace("cmyk")
      : upright.toColourspace("srgb").ensureAlpha();
    const { data, info } = await pixels
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    const { width, height } = info;
    const source = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
    if (isInk) inkToLight(source);
    return { width, height, source };
  } catch (cause) {
    if (cause instanceof RangeError) throw cause;
    const kind = bytes.type || "unknown type";
    throw new Error(
      `decodeImage: ${bytes.size} bytes of ${kind} are no image that sharp decodes: ` +
        (cause as Error).message,
      { cause },
    );
  }
}

/**
 * Turns cyan, magenta, yellow and black into red, green, blue and alpha as Chromium does without a
 * profile: each ink takes its share of the light that black leaves.
 *
 * @param pixels `[width * height, 4]`
 */
function inkToLight(pixels: Uint8Array): void {
  for (let i = 0; i < pixels.length; i += 4) {
    const light = 255 - (pixels[i + 3] as number);
    for (let ink = i; ink < i + 3; ink++) {
      pixels[ink] = Math.floor(((255 - (pixels[ink] as number)) * light) / 255);
    }
    pixels[i + 3] = 255;
  }
}
