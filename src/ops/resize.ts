import shader from "../../shaders/resize.wgsl?raw";
import type { Gpu } from "../gpu/device.ts";
import { dispatch } from "../gpu/dispatch.ts";
import { type Tensor, bufferOf } from "../gpu/tensor.ts";
import { type Filter, resizeTaps } from "./resize-taps.ts";

/**
 * Antialiased resize of RGBA8 pixels (u32), to the bit as torchvision does it on bytes: first
 * along x, then along y, each rounded to bytes; an axis that keeps its length is left alone.
 *
 * @param picture `[H, W]` u32
 * @returns `[height, width]` u32: the caller's to release, or `picture` itself where it has that size
 */
export async function resize(
  gpu: Gpu,
  picture: Tensor,
  width: number,
  height: number,
  filter: Filter,
): Promise<Tensor> {
  const [H, W] = picture.shape as [number, number];
  const wide = W === width ? picture : await resizeAxis(gpu, picture, "x", width, filter);
  if (H === height) return wide;
  const resized = await resizeAxis(gpu, wide, "y", height, filter);
  if (wide !== picture) gpu.release(bufferOf(wide));
  return resized;
}

async function resizeAxis(
  gpu: Gpu,
  picture: Tensor,
  axis: "x" | "y",
  length: number,
  filter: Filter,
): Promise<Tensor> {
  const constants = { VERTICAL: axis === "y" ? 1 : 0 };
  const pipeline = await gpu.pipeline({ name: `resize ${axis}`, code: shader, constants });
  const [H, W] = picture.shape as [number, number];
  const [width, height] = axis === "x" ? [length, H] : [W, length];

  const { spans, weights, bits } = resizeTaps(axis === "x" ? W : H, length, filter);
  const size = gpu.tensor("size", [4], "u32", Uint32Array.of(width, height, W, bits));
  const taps = gpu.tensor("taps", [length + 1, 2], "u32", spans);
  const fixed = gpu.tensor("weights", [weights.length], "i32", weights);
  const resized = gpu.tensor("resized", [height, width], "u32");
  dispatch(
    gpu,
    pipeline,
    [size, taps, fixed, picture, resized],
    [Math.ceil(width / 16), Math.ceil(height / 4)],
  );
  for (const tensor of [size, taps, fixed]) gpu.release(bufferOf(tensor));
  return resized;
}
