import { importOptional } from "./node-optional.ts";
import type { DecodedImage } from "./platform.ts";

/** 256 MiB of RGBA. */
const MAX_PIXELS = 2 ** 26;

/** Formats that browsers decode too. sharp would also render SVG, and read the files it refers to. */
const FORMATS = ["png", "jpeg", "webp", "gif", "heif", "tiff"];

/**
 * Decodes an image in Node as `decode-image.ts` does in a browser: its first frame, upright by its
 * EXIF orientation, with straight alpha, and without converting colors by its profile.
 *
 * @param maxPixels limit of width times height
 * @throws Error when sharp can't decode the image, RangeError when it has too many pixels
 */
export async function decodeNodeImage(bytes: Blob, maxPixels = MAX_PIXELS): Promise<DecodedImage> {
  const { default: sharp } = await importOptional("sharp", () => import("sharp"));
  try {
    const options = { ignoreIcc: true, limitInputPixels: false, failOn: "error" } as const;
    const image = sharp(await bytes.arrayBuffer(), options);
    const header = await image.metadata();
    if (!FORMATS.includes(header.format)) throw new Error(`${header.format} is not supported`);
    if (header.width * header.height > maxPixels) {
      throw new RangeError(
        `The image is ${header.width} x ${header.height} pixels, more than ${maxPixels} in total.`,
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
      `decodeNodeImage: ${bytes.size} bytes of ${kind} are not an image that sharp can decode: ` +
        (cause as Error).message,
      { cause },
    );
  }
}

/**
 * Converts CMYK to RGBA in place, as Chromium does without a color profile: each ink absorbs its share
 * of the light that the black ink leaves.
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
