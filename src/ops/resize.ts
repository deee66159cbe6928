import shader from "../../shaders/resize.wgsl?raw";
import type { Gpu } from "../gpu/device.ts";
import { dispatch } from "../gpu/dispatch.ts";
import { type Tensor, bufferOf } from "../gpu/tensor.ts";
import { type Filter, resizeTaps } from "./resize-taps.ts";
import type { Rectangle } from "./unpack-image.ts";

export interface ResizeOptions {
  /** What is resized; it may reach beyond the image. By default all of it. */
  readonly part?: Rectangle | undefined;
  /** RGBA8 of what lies beyond the image; black by default. */
  readonly background?: number | undefined;
}

/**
 * Antialiased resize of RGBA8 pixels (u32), to the bit as torchvision does it on bytes: first
 * along x, then along y, each rounded to bytes; an axis that keeps its length is left alone.
 *
 * @param image `[H, W]` u32
 * @returns `[height, width]` u32: the caller's to release, or `image` itself where it is the same
 */
export async function resize(
  gpu: Gpu,
  image: Tensor,
  width: number,
  height: number,
  filter: Filter,
  { part, background = 0 }: ResizeOptions = {},
): Promise<Tensor> {
  const [H, W] = image.shape as [number, number];
  const { x, y, ...size } = part ?? { x: 0, y: 0, width: W, height: H };
  const columns = { start: x, length: size.width, target: width };
  const rows = { start: y, length: size.height, target: height };
  const wide = keeps(columns, W)
    ? image
    : await resizeAxis(gpu, image, "x", columns, filter, background);
  if (keeps(rows, H)) return wide;
  const resized = await resizeAxis(gpu, wide, "y", rows, filter, background);
  if (wide !== image) gpu.release(bufferOf(wide));
  return resized;
}

/** A run of positions on one axis of an image, and how many it becomes. */
interface Run {
  readonly start: number;
  readonly length: number;
  readonly target: number;
}

function keeps({ start, length, target }: Run, whole: number): boolean {
  return start === 0 && length === whole && target === whole;
}

async function resizeAxis(
  gpu: Gpu,
  image: Tensor,
  axis: "x" | "y",
  run: Run,
  filter: Filter,
  background: number,
): Promise<Tensor> {
  const constants = { VERTICAL: axis === "y" ? 1 : 0 };
  const pipeline = await gpu.pipeline({ name: `resize ${axis}`, code: shader, constants });
  const [H, W] = image.shape as [number, number];
  const [width, height] = axis === "x" ? [run.target, H] : [W, run.target];

  const { spans, weights, bits } = resizeTaps(run.length, run.target, filter);
  const whole = axis === "x" ? W : H;
  const words = Uint32Array.of(width, height, W, bits, whole, run.start, background);
  const size = gpu.tensor("size", [words.length], "u32", words);
  const taps = gpu.tensor("taps", [run.target + 1, 2], "u32", spans);
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
