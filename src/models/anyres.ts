import type { Size } from "./model.ts";

/**
 * The arithmetic of LLaVA's AnyRes (arXiv 2408.03326, appendix): an image is fit into the best of
 * several canvases, each of whole tiles. The features of the padding are dropped.
 */

/** The features of a canvas that show the image: a rectangle, and the size it is shrunk to. */
export interface KeptFeatures extends Size {
  readonly x: number;
  readonly y: number;
  readonly shrunk: Size;
}

/** The canvas that keeps most of an image's pixels. Ties go to the smallest canvas. */
export function bestCanvas(size: Size, canvases: readonly Size[]): Size | undefined {
  const pixels = size.width * size.height;
  let best: Size | undefined;
  let [mostKept, leastWasted] = [0, Infinity];
  for (const canvas of canvases) {
    const scale = Math.min(canvas.width / size.width, canvas.height / size.height);
    const scaled = Math.trunc(size.width * scale) * Math.trunc(size.height * scale);
    const kept = Math.min(scaled, pixels);
    const wasted = canvas.width * canvas.height - kept;
    if (kept > mostKept || (kept === mostKept && wasted < leastWasted)) {
      best = canvas;
      [mostKept, leastWasted] = [kept, wasted];
    }
  }
  return best;
}

/** The size of an image that is scaled to fill a canvas along one edge. */
export function fitInto({ width, height }: Size, canvas: Size): Size {
  const [across, down] = [canvas.width / width, canvas.height / height];
  return across < down
    ? { width: canvas.width, height: Math.min(Math.ceil(height * across), canvas.height) }
    : { width: Math.min(Math.ceil(width * down), canvas.width), height: canvas.height };
}

/**
 * The features of a canvas that show the image.
 *
 * @param size the image's, in pixels
 * @param grid the canvas's, in features
 * @param maxFeatures features are shrunk to about this many, unless that is by a factor below 1.1
 */
export function keptFeatures(size: Size, grid: Size, maxFeatures: number): KeptFeatures {
  const wide = size.width / size.height > grid.width / grid.height;
  const shown = wide
    ? roundDown(size.height * (grid.width / size.width))
    : roundDown(size.width * (grid.height / size.height));
  const margin = Math.floor(((wide ? grid.height : grid.width) - shown) / 2);
  const [x, y] = wide ? [0, margin] : [margin, 0];
  const [width, height] = [grid.width - 2 * x, grid.height - 2 * y];
  const ratio = Math.sqrt((height * width) / maxFeatures);
  const shrink = (length: number) => (ratio > 1.1 ? floorDivide(length, ratio) : length);
  return { x, y, width, height, shrunk: { width: shrink(width), height: shrink(height) } };
}

/** Rounds down, except where only a rounding error is missing to the next integer. */
function roundDown(x: number): number {
  return Math.trunc(Math.round(x * 1e7) / 1e7);
}

/** Python's `//`. */
function floorDivide(a: number, b: number): number {
  return Math.round((a - (a % b)) / b);
}
