import type { Gpu } from "../gpu/device.ts";
import { type Tensor, bufferOf } from "../gpu/tensor.ts";
import type { ImageLayout, ImageProcessor, PatchSource } from "../models/model.ts";
import { compilePatchify } from "../ops/patchify.ts";
import { resize } from "../ops/resize.ts";
import type { DecodedImage } from "../platform/platform.ts";
import { uploadImage } from "./upload-image.ts";

interface LaidOutImage {
  readonly decoded: DecodedImage;
  readonly layout: ImageLayout;
}

/**
 * Uploads an image and resizes it as its layout says; patches are cut and normalised when they
 * are asked for. The image is read once and stays the caller's.
 *
 * @throws RangeError when the image is too large for the device
 */
export async function preparePatches(
  gpu: Gpu,
  { decoded, layout }: LaidOutImage,
  processor: ImageProcessor,
): Promise<PatchSource> {
  const { tiles } = layout;
  const patchify = await compilePatchify(gpu, processor);
  const images = await resizeAll(gpu, decoded, layout);
  const held = new Set(tiles.map(({ from }) => images[from] as Tensor));
  return {
    tiles: tiles.length,

    write(firstTile, count, into) {
      if (firstTile < 0 || count < 1 || firstTile + count > tiles.length) {
        throw new RangeError(`write: ${count} tiles from ${firstTile} on, of ${tiles.length}`);
      }
      let row = 0;
      for (const tile of tiles.slice(firstTile, firstTile + count)) {
        row += patchify(images[tile.from] as Tensor, tile, into, row, layout.background);
      }
    },

    release() {
      for (const tensor of held) gpu.release(bufferOf(tensor));
      held.clear();
    },
  };
}

/**
 * @returns `[H, W]` u32 each: the image, then its resizes (the same tensor where a resize keeps
 *   the size); those that no tile shows are released
 */
async function resizeAll(gpu: Gpu, decoded: DecodedImage, layout: ImageLayout): Promise<Tensor[]> {
  const images: Tensor[] = [];
  const needed = new Set<Tensor>();
  try {
    images.push(await uploadImage(gpu, decoded));
    const { background } = layout;
    for (const { from, part, width, height, filter } of layout.resizes) {
      const source = images[from] as Tensor;
      images.push(await resize(gpu, source, width, height, filter, { part, background }));
    }
    for (const { from } of layout.tiles) needed.add(images[from] as Tensor);
    return images;
  } finally {
    // Nothing is needed when a step failed.
    for (const tensor of new Set(images)) if (!needed.has(tensor)) gpu.release(bufferOf(tensor));
  }
}
