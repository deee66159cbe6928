import type { Gpu } from "../gpu/device.ts";
import { type Tensor, bufferOf, byteSize } from "../gpu/tensor.ts";
import type { Resize } from "../models/model.ts";
import { axesOf, resizeAxis } from "../ops/resize.ts";
import type { DecodedImage } from "../platform/platform.ts";
import { bandRows } from "./image-limits.ts";
import { uploadImage } from "./upload-image.ts";

/**
 * Resizes an image that no binding of the device holds, with the same result as `resize`: rows are
 * uploaded and resized along x, a band at a time, and then all of them along y.
 *
 * @param background RGBA8 of pixels beyond the image
 * @returns `[height, width]` u32, or the size of the crop; the caller releases it
 */
export async function resizeInBands(
  gpu: Gpu,
  image: DecodedImage,
  { width, height, filter, part, crop }: Resize,
  background: number | undefined,
): Promise<Tensor> {
  const { columns, rows } = axesOf([image.width, image.height], width, height, { part, crop });
  const top = Math.max(0, rows.start);
  const bottom = Math.min(image.height, rows.start + rows.length);
  const narrow = gpu.tensor("narrow", [bottom - top, columns.count], "u32");
  const most = bandRows(gpu.device.limits, image.width);
  try {
    for (let first = top; first < bottom; first += most) {
      const count = Math.min(most, bottom - first);
      const band = await uploadImage(gpu, image, { first, count });
      const resized = await resizeAxis(gpu, band, "x", columns, filter, background);
      copyRows(gpu, resized, narrow, first - top);
      for (const tensor of new Set([band, resized])) gpu.release(bufferOf(tensor));
    }
    const ownRows = { ...rows, start: rows.start - top };
    const resized = await resizeAxis(gpu, narrow, "y", ownRows, filter, background);
    if (resized !== narrow) gpu.release(bufferOf(narrow));
    return resized;
  } catch (error) {
    gpu.release(bufferOf(narrow));
    throw error;
  }
}

/** Copies rows `[h, W]` to the rows of `into` from `first` on. */
function copyRows(gpu: Gpu, rows: Tensor, into: Tensor, first: number): void {
  const encoder = gpu.device.createCommandEncoder({ label: "copy rows" });
  const offset = first * (into.shape[1] as number) * 4;
  encoder.copyBufferToBuffer(bufferOf(rows), 0, bufferOf(into), offset, byteSize(rows));
  gpu.device.queue.submit([encoder.finish()]);
}
