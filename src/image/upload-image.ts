import type { Gpu } from "../gpu/device.ts";
import { type Tensor, bufferOf } from "../gpu/tensor.ts";
import { type Rectangle, compileUnpackImage } from "../ops/unpack-image.ts";
import type { DecodedImage } from "../platform/platform.ts";

/** Pixels of the texture that an image is copied through, block by block, to bound the memory. */
const BLOCK_PIXELS = 2 ** 21;

/** WebGPU copies texture rows to buffers with a stride of a multiple of 256 bytes. */
const STRIDE_PIXELS = 64;

/** Rows of an image, from the top down. */
export interface RowRange {
  readonly first: number;
  readonly count: number;
}

/**
 * Copies an image, or some of its rows, to the GPU block by block. Transparent pixels are blended with
 * white.
 *
 * @returns `[H, W]` u32, opaque RGBA8, where H is the number of rows; the caller releases it
 * @throws RangeError when the image has no pixels, when the rows have more pixels than the device
 *   binds, or when the number of bytes does not match the image's size
 */
export async function uploadImage(
  gpu: Gpu,
  image: DecodedImage,
  { first, count: height }: RowRange = { first: 0, count: image.height },
): Promise<Tensor> {
  checkSize(gpu, image, height);
  const { width } = image;
  const unpack = await compileUnpackImage(gpu);

  const maxEdge = gpu.device.limits.maxTextureDimension2D;
  const blockWidth = Math.min(width, maxEdge);
  const stride = Math.ceil(blockWidth / STRIDE_PIXELS) * STRIDE_PIXELS;
  const blockHeight = Math.min(height, maxEdge, Math.ceil(BLOCK_PIXELS / stride));
  const texture = gpu.device.createTexture({
    label: "block",
    size: [blockWidth, blockHeight],
    format: "rgba8unorm",
    // WebGPU copies external images only to textures that can be rendered to.
    usage: GPUTextureUsage.COPY_DST | GPUTextureUsage.COPY_SRC | GPUTextureUsage.RENDER_ATTACHMENT,
  });
  const rgba = gpu.tensor("rgba", [blockHeight, stride], "u32");
  const pixels = gpu.tensor("image", [height, width], "u32");
  for (let y = 0; y < height; y += blockHeight) {
    for (let x = 0; x < width; x += blockWidth) {
      const block: Rectangle = {
        x,
        y,
        width: Math.min(blockWidth, width - x),
        height: Math.min(blockHeight, height - y),
      };
      fillTexture(gpu, image, { ...block, y: first + y }, texture);
      copyToBuffer(gpu, texture, block, rgba);
      unpack(rgba, block, pixels);
    }
  }
  texture.destroy();
  gpu.release(bufferOf(rgba));
  return pixels;
}

function checkSize(gpu: Gpu, { width, height, source }: DecodedImage, rows: number): void {
  const bytes = width * height * 4;
  if (!(bytes > 0)) {
    throw new RangeError(
      `uploadImage: the image is ${width} x ${height} pixels, expected 1 x 1 or more`,
    );
  }
  if (source instanceof Uint8Array && source.byteLength !== bytes) {
    throw new RangeError(
      `uploadImage: ${source.byteLength} bytes, expected ${bytes} for ${width} x ${height} pixels`,
    );
  }
  const limit = gpu.device.limits.maxStorageBufferBindingSize;
  if (width * rows * 4 > limit) {
    throw new RangeError(
      `uploadImage: ${width} x ${rows} pixels are ${width * rows * 4} bytes, the device allows ${limit}`,
    );
  }
}

function fillTexture(
  gpu: Gpu,
  { width: W, source }: DecodedImage,
  { x, y, width, height }: Rectangle,
  texture: GPUTexture,
): void {
  const { queue } = gpu.device;
  if (source instanceof Uint8Array) {
    const layout = { offset: (y * W + x) * 4, bytesPerRow: W * 4 };
    queue.writeTexture({ texture }, source, layout, [width, height]);
  } else {
    queue.copyExternalImageToTexture(
      { source, origin: [x, y] },
      { texture, premultipliedAlpha: false },
      [width, height],
    );
  }
}

/**
 * Copies a block from the texture.
 *
 * @param rgba `[at least height, stride]` u32
 */
function copyToBuffer(gpu: Gpu, texture: GPUTexture, size: Rectangle, rgba: Tensor): void {
  const bytesPerRow = (rgba.shape[1] as number) * 4;
  const encoder = gpu.device.createCommandEncoder({ label: "copy block" });
  encoder.copyTextureToBuffer({ texture }, { buffer: bufferOf(rgba), bytesPerRow }, [
    size.width,
    size.height,
  ]);
  gpu.device.queue.submit([encoder.finish()]);
}
