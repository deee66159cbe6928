import { checkPixels } from "./pixel-limit.ts";
import type { DecodedImage } from "./platform.ts";

/** How a BMP stores its pixels (`biCompression`). */
const [RGB, RLE8, RLE4, BITFIELDS, ALPHABITFIELDS] = [0, 1, 2, 3, 6] as const;

/** Sizes of headers: OS/2's, the usual one, and two that have a mask of alpha. */
const [OS2, V3, ADOBE, V4] = [12, 40, 56, 108] as const;

interface Header {
  readonly width: number;
  readonly height: number;
  readonly isTopDown: boolean;
  readonly bits: number;
  readonly compression: number;
  /** The bits of red, green, blue and alpha in a pixel of 16 bits or more. Alpha may have none. */
  readonly masks: readonly number[];
  /** Where the palette begins, its number of colours, and the bytes of each. */
  readonly palette: { readonly at: number; readonly count: number; readonly bytes: number };
}

/** RGBA with straight alpha, from the top down: `[height, width, 4]`. */
type Rgba = Uint8Array<ArrayBuffer>;

/** Whether a file begins as BMP files do. */
export function isBmp(file: Uint8Array): boolean {
  return file[0] === 0x42 && file[1] === 0x4d;
}

/**
 * Decodes a BMP file as Chromium does: alpha counts if a mask names it, and pixels that a run-length
 * encoding skips are black.
 *
 * @param maxPixels limit of width times height
 * @throws Error when the file is damaged or of an unknown kind, RangeError when it has too many pixels
 */
export function decodeBmp(file: Uint8Array, maxPixels: number): DecodedImage {
  const view = viewOf(file);
  const header = readHeader(view, 14, false);
  const { width, height } = header;
  return { width, height, source: readPixels(view, header, view.getUint32(10, true), maxPixels) };
}

/**
 * Decodes a BMP in an icon: it has no file header, and its height counts the rows of a mask too. Of 32
 * bits a pixel, eight are alpha; where all of it is 0, and with fewer bits, the mask counts.
 *
 * @throws as `decodeBmp`
 */
export function decodeIconBmp(file: Uint8Array, maxPixels: number): DecodedImage {
  const view = viewOf(file);
  const header = readHeader(view, 0, true);
  const { width, height, bits, masks, palette } = header;
  const at = palette.at + palette.count * palette.bytes;
  const rgba = readPixels(view, header, at, maxPixels);
  const hasAlpha = masks[3] !== 0 && rgba.some((byte, i) => i % 4 === 3 && byte > 0);
  if (!hasAlpha) applyMask(view, header, at + strideOf(width, bits) * height, rgba);
  return { width, height, source: rgba };
}

function viewOf(file: Uint8Array): DataView {
  return new DataView(file.buffer, file.byteOffset, file.byteLength);
}

function readHeader(view: DataView, at: number, isIcon: boolean): Header {
  const size = view.getUint32(at, true);
  const isOs2 = size === OS2;
  if (!isOs2 && (size < 16 || size > 124)) throw new Error(`a header of ${size} bytes`);
  const width = isOs2 ? view.getUint16(at + 4, true) : view.getInt32(at + 4, true);
  const signed = isOs2 ? view.getUint16(at + 6, true) : view.getInt32(at + 8, true);
  const bits = view.getUint16(at + (isOs2 ? 10 : 14), true);
  const field = (offset: number) => (size >= offset + 4 ? view.getUint32(at + offset, true) : 0);
  const [compression, used] = [field(16), field(32)];
  if (!depthsOf(compression, isOs2, isIcon).includes(bits)) {
    throw new Error(`${bits} bits a pixel with compression ${compression}`);
  }
  const masksBehind =
    size === V3 ? ({ [BITFIELDS]: 12, [ALPHABITFIELDS]: 16 }[compression] ?? 0) : 0;
  const most = bits <= 8 ? 2 ** bits : 0;
  return {
    width,
    height: Math.trunc(Math.abs(signed) / (isIcon ? 2 : 1)),
    isTopDown: signed < 0,
    bits,
    compression,
    masks: readMasks(view, at, { size, bits, compression, isIcon }),
    palette: {
      at: at + size + masksBehind,
      count: used > 0 ? Math.min(used, most) : most,
      bytes: isOs2 ? 3 : 4,
    },
  };
}

/** The bits a pixel that a compression goes with. */
function depthsOf(compression: number, isOs2: boolean, isIcon: boolean): readonly number[] {
  if (compression === RGB) return isOs2 ? [1, 4, 8, 24] : [1, 2, 4, 8, 16, 24, 32];
  if (compression === BITFIELDS || compression === ALPHABITFIELDS) return [16, 32];
  if (isIcon) return [];
  if (compression === RLE8) return [8];
  return compression === RLE4 ? [4] : [];
}

function readMasks(
  view: DataView,
  at: number,
  kind: { size: number; bits: number; compression: number; isIcon: boolean },
): number[] {
  const { size, bits, compression, isIcon } = kind;
  const mask = (index: number) => view.getUint32(at + V3 + 4 * index, true);
  const hasMasks = compression >= BITFIELDS;
  const hasAlpha = size >= (hasMasks ? ADOBE : V4) || compression === ALPHABITFIELDS;
  const alpha = hasAlpha ? mask(3) : 0;
  if (hasMasks) return [mask(0), mask(1), mask(2), alpha];
  if (isIcon && bits === 32) return [0xff0000, 0xff00, 0xff, 0xff000000];
  return bits === 16 ? [0x7c00, 0x03e0, 0x001f, alpha] : [0xff0000, 0xff00, 0xff, alpha];
}

function readPixels(view: DataView, header: Header, at: number, maxPixels: number): Rgba {
  const { width, height, compression, bits } = header;
  if (width < 1 || height < 1) throw new Error(`${width} x ${height} pixels`);
  checkPixels(width, height, maxPixels);
  const rgba = new Uint8Array(width * height * 4);
  if (compression === RLE8 || compression === RLE4) {
    readRuns(view, header, at, rgba);
    return rgba;
  }
  const stride = strideOf(width, bits);
  if (view.byteLength < at + stride * height) throw new Error("its pixels are cut off");
  const read = bits <= 8 ? indexedRow(view, header, rgba) : colourRow(view, header, rgba);
  for (let i = 0; i < height; i++) read(at + i * stride, rowStart(header, i));
  return rgba;
}

/** Bytes of a row, which is filled up to a multiple of four. */
function strideOf(width: number, bits: number): number {
  return Math.ceil((width * bits) / 32) * 4;
}

/** Where the i-th row of the file begins in the pixels. */
function rowStart({ width, height, isTopDown }: Header, i: number): number {
  return 4 * width * (isTopDown ? i : height - 1 - i);
}

/** Reads the row that begins at a byte of the file to where it begins in the pixels. */
type ReadRow = (at: number, to: number) => void;

function indexedRow(view: DataView, header: Header, rgba: Rgba): ReadRow {
  const { width, bits } = header;
  const colours = readPalette(view, header);
  return (at, to) => {
    for (let x = 0; x < width; x++) {
      const bit = x * bits;
      const byte = view.getUint8(at + (bit >> 3));
      const index = (byte >> (8 - bits - (bit & 7))) & (2 ** bits - 1);
      rgba.set(colours(index), to + 4 * x);
    }
  };
}

/** @returns the RGBA of an index. Indices beyond the palette are black. */
function readPalette(view: DataView, { palette }: Header): (index: number) => readonly number[] {
  const { at, count, bytes } = palette;
  const colours = Array.from({ length: count }, (_, i) => {
    const byte = (channel: number) => view.getUint8(at + bytes * i + channel);
    return [byte(2), byte(1), byte(0), 255];
  });
  return (index) => colours[index] ?? [0, 0, 0, 255];
}

function colourRow(view: DataView, { width, bits, masks }: Header, rgba: Rgba): ReadRow {
  const channels = masks.map((mask, i) => channelOf(mask, i === 3 ? 255 : 0));
  const pixel = (at: number): number => {
    if (bits === 16) return view.getUint16(at, true);
    if (bits === 32) return view.getUint32(at, true);
    return view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
  };
  return (at, to) => {
    for (let x = 0; x < width; x++) {
      const value = pixel(at + x * (bits >> 3));
      for (const [i, channel] of channels.entries()) rgba[to + 4 * x + i] = channel(value);
    }
  };
}

/**
 * Reads the bits of a mask as a byte: of more than 8 bits the highest, fewer are scaled.
 *
 * @param otherwise the byte where the mask has no bits
 */
function channelOf(mask: number, otherwise: number): (pixel: number) => number {
  if (mask === 0) return () => otherwise;
  const low = 31 - Math.clz32(mask & -mask);
  const length = 32 - Math.clz32(mask >>> low);
  const most = 2 ** length - 1;
  if (mask >>> low !== most) throw new Error("the bits of a mask are not in one piece");
  if (length >= 8) return (pixel) => ((pixel & mask) >>> low) >>> (length - 8);
  return (pixel) => Math.round((((pixel & mask) >>> low) * 255) / most);
}

/** Reads run-length encoded rows. What lies beyond the image is left out. */
function readRuns(view: DataView, header: Header, at: number, rgba: Rgba): void {
  const { width, height, compression } = header;
  const colours = readPalette(view, header);
  const isNibble = compression === RLE4;
  const index = (byte: number, i: number): number => {
    if (!isNibble) return byte;
    return i % 2 === 0 ? byte >> 4 : byte & 15;
  };
  let [x, y] = [0, 0];
  const put = (colour: number) => {
    if (x < width && y < height) rgba.set(colours(colour), rowStart(header, y) + 4 * x);
    x++;
  };
  for (let i = 3; i < rgba.length; i += 4) rgba[i] = 255;
  for (;;) {
    const [count, code] = [view.getUint8(at), view.getUint8(at + 1)];
    at += 2;
    if (count > 0) {
      for (let i = 0; i < count; i++) put(index(code, i));
    } else if (code === 0) {
      [x, y] = [0, y + 1];
    } else if (code === 1) {
      return;
    } else if (code === 2) {
      [x, y] = [x + view.getUint8(at), y + view.getUint8(at + 1)];
      at += 2;
    } else {
      for (let i = 0; i < code; i++) put(index(view.getUint8(at + (isNibble ? i >> 1 : i)), i));
      at += Math.ceil((isNibble ? Math.ceil(code / 2) : code) / 2) * 2;
    }
  }
}

/** Makes the pixels transparent whose bit in an icon's mask is set, and the others opaque. */
function applyMask(view: DataView, header: Header, at: number, rgba: Rgba): void {
  const { width, height } = header;
  const stride = strideOf(width, 1);
  if (view.byteLength < at + stride * height) throw new Error("its mask is cut off");
  for (let i = 0; i < height; i++) {
    for (let x = 0; x < width; x++) {
      const byte = view.getUint8(at + i * stride + (x >> 3));
      const isTransparent = (byte >> (7 - (x & 7))) & 1;
      rgba[rowStart(header, i) + 4 * x + 3] = isTransparent ? 0 : 255;
    }
  }
}
