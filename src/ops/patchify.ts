import shader from "../../shaders/patchify.wgsl?raw";
import type { Gpu } from "../gpu/device.ts";
import { dispatch } from "../gpu/dispatch.ts";
import { type Tensor, bufferOf } from "../gpu/tensor.ts";
import { fold } from "./grid.ts";
import type { Rectangle } from "./unpack-image.ts";

/** How bytes become values: (byte * rescale - mean) / std, per channel. */
export interface Normalization {
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly rescale: number;
}

/** The patches that a vision tower reads. */
export interface PatchFormat extends Normalization {
  /** Side of a patch in pixels. */
  readonly patchSize: number;
  /** Patches are ordered in blocks of merge x merge; 1 orders them row by row. */
  readonly merge: number;
  /** How often a still image's pixels are repeated in a patch. */
  readonly frames: number;
  /** A patch is `[frames, p, p, channels]`. Default: `[channels, frames, p, p]`. */
  readonly channelsLast?: boolean;
}

/**
 * Writes the P patches of a tile to rows `first .. first + P - 1` of `into`. Only whole blocks of
 * merge x merge patches count: the rest at the right and bottom of the tile is cut off.
 *
 * @param image `[H, W]` u32, RGBA8
 * @param into `[T, 3 * frames * patchSize²]`
 * @param background RGBA8 of pixels beyond the image; default black
 * @returns P
 * @throws RangeError when `into` does not have these rows
 */
export type Patchify = (
  image: Tensor,
  tile: Rectangle,
  into: Tensor,
  first: number,
  background?: number,
) => number;

/**
 * Compiles the kernel that crops a tile, normalises it and cuts it into patches. Blocks of
 * merge x merge patches are ordered row by row, and so are the patches of a block.
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
    const settings = gpu.tensor("tile", [words.length], "u32", Uint32Array.from(words));
    const groups = fold(Math.ceil((rows * columns * patchSize ** 2) / 64));
    dispatch(gpu, pipeline, [settings, scale, image, into], groups);
    gpu.release(bufferOf(settings));
    return rows * columns;
  };
}

/**
 * Mean and std of bytes, `[2, 4]`: three channels and padding. Both are divided by the rescale factor
 * in float32, because transformers fuses rescaling into normalisation.
 */
function byteScale(gpu: Gpu, { mean, std, rescale }: Normalization): Tensor {
  return gpu.constant(`byte scale ${[mean, std, rescale].join(" ")}`, [2, 4], "f32", () => {
    const factor = Math.fround(1 / rescale);
    return Float32Array.from([...mean, 0, ...std, 1], (value) => Math.fround(value) * factor);
  });
}
