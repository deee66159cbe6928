import shader from "../../shaders/resize.wgsl?raw";
import type { Gpu } from "../gpu/device.ts";
import { dispatch } from "../gpu/dispatch.ts";
import { type Tensor, bufferOf } from "../gpu/tensor.ts";
import { type Filter, resizeTaps } from "./resize-taps.ts";
import type { Rectangle } from "./unpack-image.ts";

export interface ResizeOptions {
  /** The part of the image to resize, which may reach beyond the image. Default: the whole image. */
  readonly part?: Rectangle | undefined;
  /** The part of the result to compute. Default: the whole result. */
  readonly crop?: Rectangle | undefined;
  /** RGBA8 of pixels beyond the image. Default black. */
  readonly background?: number | undefined;
}

/**
 * The resize of one axis: positions `start ..< start + length` become `target` positions, of which
 * `first ..< first + count` are computed.
 */
export interface AxisResize {
  readonly start: number;
  readonly length: number;
  readonly target: number;
  readonly first: number;
  readonly count: number;
}

/**
 * The resizes of both axes.
 *
 * @param W width of the image
 * @param H height of the image
 * @param width of the result, in pixels
 * @param height of the result, in pixels
 */
export function axesOf(
  [W, H]: readonly [number, number],
  width: number,
  height: number,
  { part, crop }: ResizeOptions,
): { columns: AxisResize; rows: AxisResize } {
  const from = part ?? { x: 0, y: 0, width: W, height: H };
  const kept = crop ?? { x: 0, y: 0, width, height };
  const axis = (start: number, length: number, target: number, first: number, count: number) => ({
    start,
    length,
    target,
    first,
    count,
  });
  return {
    columns: axis(from.x, from.width, width, kept.x, kept.width),
    rows: axis(from.y, from.height, height, kept.y, kept.height),
  };
}

/**
 * Antialiased resize of RGBA8 pixels (u32), bit for bit as torchvision resizes bytes: first along x,
 * then along y, each rounded to bytes. An axis that keeps its length is skipped.
 *
 * @param image `[H, W]` u32
 * @returns `[height, width]` u32, or the size of the crop, to be released by the caller; `image`
 *   itself when nothing changes
 */
export async function resize(
  gpu: Gpu,
  image: Tensor,
  width: number,
  height: number,
  filter: Filter,
  options: ResizeOptions = {},
): Promise<Tensor> {
  const [H, W] = image.shape as [number, number];
  const { columns, rows } = axesOf([W, H], width, height, options);
  const { background } = options;
  const wide = await resizeAxis(gpu, image, "x", columns, filter, background);
  const resized = await resizeAxis(gpu, wide, "y", rows, filter, background);
  if (wide !== image && wide !== resized) gpu.release(bufferOf(wide));
  return resized;
}

/**
 * Resizes one axis.
 *
 * @param image `[H, W]` u32
 * @param background RGBA8 of pixels beyond the image
 * @returns `[H, count]` or `[count, W]` u32, to be released by the caller; `image` itself when nothing
 *   changes
 */
export async function resizeAxis(
  gpu: Gpu,
  image: Tensor,
  axis: "x" | "y",
  { start, length, target, first, count }: AxisResize,
  filter: Filter,
  background = 0,
): Promise<Tensor> {
  const [H, W] = image.shape as [number, number];
  const whole = axis === "x" ? W : H;
  if (start === 0 && length === whole && target === whole && count === whole) return image;
  const constants = { VERTICAL: axis === "y" ? 1 : 0 };
  const pipeline = await gpu.pipeline({ name: `resize ${axis}`, code: shader, constants });
  const [width, height] = axis === "x" ? [count, H] : [W, count];

  const { starts, weights, bits } = resizeTaps(length, target, filter, { first, count });
  const words = Uint32Array.of(width, height, W, bits, whole, start, background);
  const size = gpu.tensor("size", [words.length], "u32", words);
  const taps = gpu.tensor("taps", [count + 1, 2], "u32", starts);
  const fixed = gpu.tensor("weights", [weights.length], "i32", weights);
  const resized = gpu.tensor("resized", [height, width], "u32");
  dispatch(
    gpu,
    pipeline,
    [size, taps, fixed, image, resized],
    [Math.ceil(width / 16), Math.ceil(height / 4)],
  );
  for (const tensor of [size, taps, fixed]) gpu.release(bufferOf(tensor));
  return resized;
}
