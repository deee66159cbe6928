/** Thrown for an image with too many pixels. */
export class PixelLimitError extends RangeError {
  override name = "PixelLimitError";
}

/** Throws PixelLimitError when an image has more than `limit` pixels. */
export function checkPixels(width: number, height: number, limit: number): void {
  if (width * height <= limit) return;
  throw new PixelLimitError(
    `The image is ${width} x ${height} pixels, more than ${limit} in total.`,
  );
}
