import shader from "../../shaders/patchify.wgsl?raw";
import type { Gpu } from "../gpu/device.ts";
import { dispatch } from "../gpu/dispatch.ts";
import { type Tensor, bufferOf } from "../gpu/tensor.ts";
import { fold } from "./grid.ts";
import type { Rectangle } from "./unpack-picture.ts";

/** How bytes become values: (byte * rescale - mean) / std, by channel. */
export interface Normalization {
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly rescale: number;
}

/** Whole patches of a tile; what is left over at its right and bottom is cut off. */
export function patchGrid(tile: Rectangle, patchSize: number): { rows: number; columns: number } {
  return {
    rows: Math.floor(tile.height / patchSize),
    columns: Math.floor(tile.width / patchSize),
  };
}

/**
 * Writes the P patches of a tile to rows `first .. first + P - 1` of `into`.
 *
 * @param picture `[H, W]` u32, RGBA8
 * @param into `[T, 3 * patchSize²]`
 * @throws RangeError when `into` does not hold them
 */
export type Patchify = (picture: Tensor, tile: Rectangle, into: Tensor, first: number) => void;

/**
 * Compiles the kernel that crops, normalises and cuts to patches, row by row; the values of a
 * patch go by (channel, y, x).
 */
export async function compilePatchify(
  gpu: Gpu,
  patchSize: number,
  normalization: Normalization,
): Promise<Patchify> {
  const pipeline = await gpu.pipeline({ name: "patchify", code: shader });
  const scale = byteScale(gpu, normalization);
  return (picture, tile, into, first) => {
    const { rows, columns } = patchGrid(tile, patchSize);
    const values = 3 * patchSize ** 2;
    if (into.shape[1] !== values || (into.shape[0] as number) < first + rows * columns) {
      throw new RangeError(
        `patchify: into is [${into.shape}], expected ${first + rows * columns} rows of ${values}`,
      );
    }
    const stride = picture.shape[1] as number;
    const words = Uint32Array.of(stride, tile.x, tile.y, columns, rows, patchSize, first);
    const place = gpu.tensor("tile", [words.length], "u32", words);
    const groups = fold(Math.ceil((rows * columns * patchSize ** 2) / 64));
    dispatch(gpu, pipeline, [place, scale, picture, into], groups);
    gpu.release(bufferOf(place));
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
