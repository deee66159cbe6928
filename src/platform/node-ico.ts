import { decodeIconBmp } from "./node-bmp.ts";
import { isPng } from "./node-png.ts";
import type { DecodedImage } from "./platform.ts";

interface Entry {
  readonly width: number;
  readonly height: number;
  readonly bits: number;
  readonly at: number;
}

/** Whether a file begins as icons and cursors do. */
export function isIco(file: Buffer): boolean {
  return file.length >= 6 && file.readUInt16LE(0) === 0 && [1, 2].includes(file.readUInt16LE(2));
}

/**
 * Decodes the largest image of an icon or a cursor, as Chromium does; of several, the first with most
 * bits a pixel.
 *
 * @param maxPixels limit of width times height
 * @param decodePng decodes an image that is a PNG file
 * @throws Error when the file is damaged
 */
export async function decodeIco(
  file: Buffer,
  maxPixels: number,
  decodePng: (file: Buffer) => Promise<DecodedImage>,
): Promise<DecodedImage> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const entries = Array.from({ length: view.getUint16(4, true) }, (_, i) =>
    entryAt(view, 6 + 16 * i),
  );
  const area = ({ width, height }: Entry) => width * height;
  const [best] = entries.sort((a, b) => area(b) - area(a) || b.bits - a.bits);
  if (!best) throw new Error("it has no image");
  const bytes = file.subarray(best.at); // the list may state a wrong size
  const image = isPng(bytes) ? await decodePng(bytes) : decodeIconBmp(bytes, maxPixels);
  if (image.width !== best.width || image.height !== best.height) {
    throw new Error(
      `an image of ${image.width} x ${image.height} where its list says ${best.width} x ${best.height}`,
    );
  }
  return image;
}

function entryAt(view: DataView, at: number): Entry {
  const isCursor = view.getUint16(2, true) === 2; // whose bits are the place of its hot spot
  const colours = view.getUint8(at + 2);
  const bits = isCursor ? 0 : view.getUint16(at + 6, true);
  return {
    width: view.getUint8(at) || 256,
    height: view.getUint8(at + 1) || 256,
    bits: bits || (colours ? Math.floor(Math.log2(colours)) : 0),
    at: view.getUint32(at + 12, true),
  };
}
