import type { ImageLayout, Size } from "../models/model.ts";

/** Bytes of a pixel. */
const PIXEL_BYTES = 4;

/** Rows of an image that a workgroup of the image kernels covers. */
const GROUP_ROWS = 4;

/** Pixels of a band. More would take memory for nothing. */
const BAND_PIXELS = 2 ** 23;

/** The limits of a device that bound an image. */
export type ImageLimits = Pick<
  GPUSupportedLimits,
  "maxStorageBufferBindingSize" | "maxComputeWorkgroupsPerDimension"
>;

/** Thrown when an image is too large for the device. */
export class ImageSizeError extends RangeError {
  override name = "ImageSizeError";
}

/** Whether a binding holds the image, and one dispatch covers it. */
export function fitsDevice(limits: ImageLimits, { width, height }: Size): boolean {
  return (
    width * height * PIXEL_BYTES <= limits.maxStorageBufferBindingSize &&
    height <= limits.maxComputeWorkgroupsPerDimension * GROUP_ROWS
  );
}

/** The number of rows in a band of an image that does not fit the device; 0 if a row is too long. */
export function bandRows(limits: ImageLimits, width: number): number {
  const rowBytes = width * PIXEL_BYTES;
  return Math.min(
    Math.floor(limits.maxStorageBufferBindingSize / rowBytes),
    Math.ceil(BAND_PIXELS / width),
    limits.maxComputeWorkgroupsPerDimension * GROUP_ROWS,
  );
}

/**
 * Checks that the device can hold an image's resizes.
 *
 * @throws ImageSizeError when it can't, or when tiles are cut from an image that it can't hold
 */
export function checkResizes(limits: ImageLimits, layout: ImageLayout): void {
  const [width, height] = layout.size;
  const sizes: Size[] = [{ width, height }];
  const fail = (size: Size): never => {
    const limit = limits.maxStorageBufferBindingSize;
    const bytes = size.width * size.height * PIXEL_BYTES;
    throw new ImageSizeError(
      `The image is ${width} x ${height} pixels. To process it takes ${bytes} bytes in a buffer, ` +
        `and this device allows ${limit}.`,
    );
  };
  for (const { from, part, crop, ...target } of layout.resizes) {
    const source = sizes[from] as Size;
    const result = crop ?? target;
    const isBanded = from === 0 && !fitsDevice(limits, source);
    if (isBanded && bandRows(limits, source.width) < 1) fail({ width: source.width, height: 1 });
    // All rows are resized along x first. Of an image in bands, only those of the part are.
    const rows = isBanded ? Math.min(source.height, part?.height ?? Infinity) : source.height;
    for (const size of [{ width: result.width, height: rows }, result]) {
      if (size.width * size.height * PIXEL_BYTES > limits.maxStorageBufferBindingSize) fail(size);
    }
    sizes.push({ width: result.width, height: result.height });
  }
  for (const { from } of layout.tiles) {
    const size = sizes[from] as Size;
    if (!fitsDevice(limits, size)) fail(size);
  }
}
