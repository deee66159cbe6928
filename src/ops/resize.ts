import shader from "../../shaders/resize.wgsl?raw";
import type { Gpu } from "../gpu/device.ts";
import { dispatch } from "../gpu/dispatch.ts";
import { type Tensor, bufferOf } from "../gpu/tensor.ts";
import { type Filter, resizeTaps } from "./resize-taps.ts";
import type { Rectangle } from "./unpack-image.ts";

export interface ResizeOptions {
  /** The part of the image to resize, which may reach beyond the image. Default: the whole image. */
  readonly part?: Rectangle | undefined;
  /** RGBA8 of pixels beyond the image. Default black. */
  readonly background?: number | undefined;
}

/**
 * Antialiased resize of RGBA8 pixels (u32), bit for bit as torchvision resizes bytes: first along x,
 * then along y, each rounded to bytes. An axis that keeps its length is skipped.
 *
 * @param image `[H, W]` u32
 * @returns `[height, width]` u32, to be released by the caller; `image` itself when nothing changes
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
  const wide = keepsAxis(columns, W)
    ? image
    : await resizeAxis(gpu, image, "x", columns, filter, background);
  if (keepsAxis(rows, H)) return wide;
  const resized = await resizeAxis(gpu, wide, "y", rows, filter, background);
  if (wide !== image) gpu.release(bufferOf(wide));
  return resized;
}

/** The resize of one axis: positions `start ..< start + length` become `target` positions. */
interface AxisResize {
  readonly start: number;
  readonly length: number;
  readonly target: number;
}

function keepsAxis({ start, length, target }: AxisResize, whole: number): boolean {
  return start === 0 && length === whole && target === whole;
}

async function resizeAxis(
  gpu: Gpu,
  image: Tensor,
  axis: "x" | "y",
  resize: AxisResize,
  filter: Filter,
  background: number,
): Promise<Tensor> {
  const constants = { VERTICAL: axis === "y" ? 1 : 0 };
  const pipeline = await gpu.pipeline({ name: `resize ${axis}`, code: shader, constants });
  const [H, W] = image.shape as [number, number];
  const [width, height] = axis === "x" ? [resize.target, H] : [W, resize.target];

  const { starts, weights, bits } = resizeTaps(resize.length, resize.target, filter);
  const whole = axis === "x" ? W : H;
  const words = Uint32Array.of(width, height, W, bits, whole, resize.start, background);
  const size = gpu.tensor("size", [words.length], "u32", words);
  const taps = gpu.tensor("taps", [resize.target + 1, 2], "u32", starts);
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
