import shader from "../../shaders/patchify.wgsl?raw";
import type { Gpu } from "../gpu/device.ts";
import { dispatch } from "../gpu/dispatch.ts";
import { type Tensor, bufferOf } from "../gpu/tensor.ts";
import { fold } from "./grid.ts";
import type { Rectangle } from "./unpack-image.ts";

/** How bytes become values: (byte * rescale - mean) / std, by channel. */
export interface Normalization {
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly rescale: number;
}

/** What the patches of a vision tower look like. */
export interface PatchFormat extends Normalization {
  readonly patchSize: number;
  /** Edge of the blocks that patches come in; 1: row by row. */
  readonly merge: number;
  /** How often the pixels of a still image stand in a patch. */
  readonly frames: number;
  /** A patch's values go by (frame, y, x, channel), not by (channel, frame, y, x). */
  readonly channelsLast?: boolean;
}

/**
 * Writes the P patches of a tile to rows `first .. first + P - 1` of `into`. What is left over of
 * whole blocks at the right and bottom of the tile is cut off; what reaches beyond the image is
 * of one colour.
 *
 * @param image `[H, W]` u32, RGBA8
 * @param into `[T, 3 * frames * patchSize²]`
 * @param background RGBA8; black by default
 * @returns P
 * @throws RangeError when `into` does not hold them
 */
export type Patchify = (
  image: Tensor,
  tile: Rectangle,
  into: Tensor,
  first: number,
  background?: number,
) => number;

/**
 * Compiles the kernel that crops, normalises and cuts to patches: blocks of merge x merge patches
 * row by row, and row by row inside each; the values of a patch go by (channel, frame, y, x), or by
 * (frame, y, x, channel).
 */
export async function compilePatchify(gpu: Gpu, format: PatchFormat): Promise<Patchify> {
  const { patchSize, merge, frames, channelsLast = false } = format;
  const pipeline = await gpu.pipeline({ name: "patchify", code: shader });
  const scale = byteScale(gpu, format);
  return (image, tile, into, first, background = 0) => {
    const whole = (length: number) => Math.floor(length / (patchSize * merge)) * merge;
    const [rows, columns] = [whole(tile.height), whole(tile.width)];
    const values = 3 * frames * patchSize ** 2;
    if (into.shape[1] !== values || (into.shape[0] as number) < first + rows * columns) {
      throw new RangeError(
        `patchify: into is [${into.shape}], expected ${first + rows * columns} rows of ${values}`,
      );
    }
    const [H, W] = image.shape as [number, number];
    const { x, y } = tile;
    const last = Number(channelsLast);
    const words = [W, H, x, y, columns, rows, patchSize, merge, frames, first, background, last];
    const place = gpu.tensor("tile", [words.length], "u32", Uint32Array.from(words));
    const groups = fold(Math.ceil((rows * columns * patchSize ** 2) / 64));
    dispatch(gpu, pipeline, [place, scale, image, into], groups);
    gpu.release(bufferOf(place));
    return rows * columns;
  };
}

/**
 * Mean and std of bytes `[2, 4]`, by channel and padding. As transformers fuses rescaling into
 * normalisation, both are divided by the factor, in float32.
 */
function byteScale(gpu: Gpu, { mean, std, rescale }: Normalization): Tensor {
  return gpu.constant(`byte scale ${[mean, std, rescale].join(" ")}`, [2, 4], "f32", () => {
    const factor = Math.fround(1 / rescale);
    return Float32Array.from([...mean, 0, ...std, 1], (value) => Math.fround(value) * factor);
  });
}
