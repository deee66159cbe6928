import { decodeBmp, isBmp } from "./node-bmp.ts";
import { clearAround, firstGifFrame } from "./node-gif.ts";
import { decodeIco, isIco } from "./node-ico.ts";
import { importOptional } from "./node-optional.ts";
import { type PngFrame, firstPngFrame, isPng } from "./node-png.ts";
import { PixelLimitError, checkPixels } from "./pixel-limit.ts";
import type { DecodedImage } from "./platform.ts";

/** 256 MiB of RGBA. */
const MAX_PIXELS = 2 ** 26;

/** Formats that browsers decode too. sharp would also render SVG, and read the files it refers to. */
const FORMATS = ["png", "jpeg", "webp", "gif", "heif"];

/**
 * Decodes an image in Node as `decode-image.ts` does in Chromium: its first frame, upright by its
 * EXIF orientation, with straight alpha, and without converting colors by its profile.
 *
 * @param maxPixels limit of width times height
 * @throws Error when the image can't be decoded, RangeError when it has too many pixels
 */
export async function decodeNodeImage(bytes: Blob, maxPixels = MAX_PIXELS): Promise<DecodedImage> {
  const file = Buffer.from(await bytes.arrayBuffer());
  try {
    return await decodeFile(file, maxPixels);
  } catch (cause) {
    if (cause instanceof PixelLimitError) throw cause;
    const kind = bytes.type || "unknown type";
    throw new Error(
      `decodeNodeImage: ${bytes.size} bytes of ${kind} are not an image that can be decoded here: ` +
        (cause as Error).message,
      { cause },
    );
  }
}

async function decodeFile(file: Buffer, maxPixels: number): Promise<DecodedImage> {
  if (isBmp(file)) return decodeBmp(file, maxPixels);
  if (isIco(file)) return decodeIco(file, maxPixels, (png) => decodeFile(png, maxPixels));
  if (!isPng(file)) return decodeWithSharp(file, maxPixels);
  const { place, ...first } = firstPngFrame(file);
  const frame = await decodeWithSharp(first.file, maxPixels);
  return place ? placed(frame, place, maxPixels) : frame;
}

async function decodeWithSharp(file: Buffer, maxPixels: number): Promise<RgbaImage> {
  const { default: sharp } = await importOptional("sharp", () => import("sharp"));
  const image = sharp(file, { ignoreIcc: true, limitInputPixels: false, failOn: "error" });
  const header = await image.metadata();
  if (!FORMATS.includes(header.format)) throw new Error(`${header.format} is not supported`);
  checkPixels(header.width, header.height, maxPixels);
  const isInk = header.space === "cmyk";
  // Browsers show WebP as it is stored, whatever its EXIF orientation.
  const upright = header.format === "webp" ? image : image.autoOrient();
  const pixels = isInk
    ? upright.pipelineColourspace("cmyk").toColourspace("cmyk")
    : upright.toColourspace("srgb").ensureAlpha();
  const { data, info } = await pixels.raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true });
  const { width, height } = info;
  const source = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  if (isInk) inkToLight(source);
  const frame = header.format === "gif" ? firstGifFrame(file) : undefined;
  if (frame) clearAround(frame, source, width);
  return { width, height, source };
}

type RgbaImage = DecodedImage & { readonly source: Uint8Array<ArrayBuffer> };

/** Puts a frame at its place in an image that is transparent elsewhere. */
function placed(
  frame: RgbaImage,
  { x, y, width, height }: NonNullable<PngFrame["place"]>,
  maxPixels: number,
): RgbaImage {
  if (x + frame.width > width || y + frame.height > height) {
    throw new Error("a frame reaches beyond the image");
  }
  checkPixels(width, height, maxPixels);
  const source = new Uint8Array(width * height * 4);
  for (let row = 0; row < frame.height; row++) {
    const own = frame.source.subarray(4 * row * frame.width, 4 * (row + 1) * frame.width);
    source.set(own, 4 * ((y + row) * width + x));
  }
  return { width, height, source };
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
