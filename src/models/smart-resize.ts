import type { Size } from "./model.ts";

/** Pixels of a resized image. */
export interface Limits {
  readonly min: number;
  readonly max: number;
}

/**
 * transformers' `smart_resize`: both edges become multiples of `factor`, nearest to what they are
 * unless the image then has more or fewer pixels than the limits.
 *
 * @param shortest what an edge becomes at least that is as it is otherwise; default 0, which makes
 *   images without pixels, and those are enlarged
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

/** As Python's `round` finds it, which takes the even one of two neighbours that are as near. */
export function nearestMultiple(length: number, factor: number, shortest = 0): number {
  return Math.max(shortest, roundHalfToEven(length / factor) * factor);
}

function roundHalfToEven(x: number): number {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}
