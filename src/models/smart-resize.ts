import type { Size } from "./model.ts";

/** Limits of the number of pixels of a resized image. */
export interface Limits {
  readonly min: number;
  readonly max: number;
}

/**
 * transformers' `smart_resize`: rounds both edges to the nearest multiples of `factor`. Where the image
 * then has too many or too few pixels, it is scaled to the limit instead.
 *
 * @param shortest minimum edge before the limits apply. With 0, the default, an edge may round to 0;
 *   the image then has too few pixels.
 */
export function smartResize(
  { width, height }: Size,
  factor: number,
  { min, max }: Limits,
  shortest = 0,
): Size {
  const nearest = (edge: number) => nearestMultiple(edge, factor, shortest);
  const pixels = nearest(width) * nearest(height);
  if (pixels > max) {
    const shrink = Math.sqrt((width * height) / max);
    const down = (edge: number) => Math.max(1, Math.floor(edge / shrink / factor)) * factor;
    return { width: down(width), height: down(height) };
  }
  if (pixels < min) {
    const enlarge = Math.sqrt(min / (width * height));
    const up = (edge: number) => Math.ceil((edge * enlarge) / factor) * factor;
    return { width: up(width), height: up(height) };
  }
  return { width: nearest(width), height: nearest(height) };
}

/**
 * The multiple of `factor` nearest to `length`. A tie goes to the even multiple, as in Python's `round`.
 *
 * @param shortest the least result
 */
export function nearestMultiple(length: number, factor: number, shortest = 0): number {
  return Math.max(shortest, roundHalfToEven(length / factor) * factor);
}

function roundHalfToEven(x: number): number {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}
