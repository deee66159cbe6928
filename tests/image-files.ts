import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { expect } from "vitest";
import recorded from "../e2e/goldens/image-files.json";

/** What a decoder makes of a file. */
interface Decoded {
  readonly width: number;
  readonly height: number;
  /** SHA-256 of `[height, width, 3]`, blended with white. */
  readonly rgb_sha256?: string;
  /** Every `SAMPLED`-th byte of it, where decoders round otherwise. */
  readonly samples?: readonly number[];
}

/** A file of `e2e/goldens/image-files`, and what must come of it in a page and in Node. */
interface ImageFile {
  readonly file: string;
  /** What Pillow makes of it. Null: it can't read the file. */
  readonly reference: Decoded | null;
  /** What a page and Node make of it, where that is something else. Null: they refuse the file. */
  readonly expected?: Decoded | null;
  /** How far samples may be off. */
  readonly tolerance?: number;
  readonly why?: string;
}

const SAMPLED = 61;

export const IMAGE_FILES = recorded as readonly ImageFile[];

/** Images with more pixels are compared by their size alone, which saves seconds. */
export const LARGE = 2 ** 24;

/**
 * Checks what a decoder made of an image file.
 *
 * @param decoded its size and its RGBA, straight or blended with white; undefined if it was refused.
 *   Without RGBA, only the size is compared
 */
export function expectDecoded(
  { reference, expected = reference, tolerance = 0, file }: ImageFile,
  decoded: { width: number; height: number; rgba?: Uint8Array } | undefined,
): void {
  const size = (image: Decoded | null | undefined) => image && [image.width, image.height];
  expect(size(decoded) ?? null, file).toEqual(size(expected) ?? null);
  if (!decoded?.rgba || decoded.width * decoded.height > LARGE) return;
  const rgb = overWhite(decoded.rgba);
  if (!expected?.samples) {
    expect(bytesToHex(sha256(rgb)), file).toBe(expected?.rgb_sha256);
    return;
  }
  const samples = rgb.filter((_, i) => i % SAMPLED === 0);
  expect(samples.length).toBe(expected.samples.length);
  const errors = expected.samples.map((value, i) => Math.abs(value - (samples[i] as number)));
  expect(Math.max(...errors), file).toBeLessThanOrEqual(tolerance);
}

/** @returns RGB over a white background, as the reference recorded it */
export function overWhite(rgba: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let i = 0; i < rgba.length / 4; i++) {
    const alpha = rgba[4 * i + 3] as number;
    for (let c = 0; c < 3; c++) {
      const value = rgba[4 * i + c] as number;
      rgb[3 * i + c] = Math.floor((value * alpha + 255 * (255 - alpha)) / 255 + 0.5);
    }
  }
  return rgb;
}
