import shader from "../../shaders/unpack-image.wgsl?raw";
import type { Gpu } from "../gpu/device.ts";
import { dispatch } from "../gpu/dispatch.ts";
import { type Tensor, bufferOf } from "../gpu/tensor.ts";

/** A rectangle of an image, in pixels. */
export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/**
 * Blends pixels over white and writes them to a block of an image.
 *
 * @param rgba `[at least block.height, stride]` u32, straight-alpha RGBA8
 * @param image `[H, W]` u32, RGBA8
 */
export type UnpackImage = (rgba: Tensor, block: Rectangle, image: Tensor) => void;

/** Compiles the kernel that blends straight-alpha RGBA8 pixels over white. */
export async function compileUnpackImage(gpu: Gpu): Promise<UnpackImage> {
  const pipeline = await gpu.pipeline({ name: "unpack-image", code: shader });
  return (rgba, { x, y, width, height }, image) => {
    const [stride, W] = [rgba.shape[1] as number, image.shape[1] as number];
    const words = Uint32Array.of(stride, width, height, x, y, W);
    const block = gpu.tensor("block", [words.length], "u32", words);
    dispatch(gpu, pipeline, [block, rgba, image], [Math.ceil(width / 16), Math.ceil(height / 4)]);
    gpu.release(bufferOf(block));
  };
}
