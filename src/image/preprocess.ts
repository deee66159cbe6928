import type { Gpu } from "../gpu/device.ts";
import { type Tensor, bufferOf } from "../gpu/tensor.ts";
import type { ImageLayout, ImageProcessor, PatchSource } from "../models/model.ts";
import { compilePatchify } from "../ops/patchify.ts";
import { resize } from "../ops/resize.ts";
import type { DecodedImage } from "../platform/platform.ts";
import { checkResizes, fitsDevice } from "./image-limits.ts";
import { resizeInBands } from "./resize-in-bands.ts";
import { uploadImage } from "./upload-image.ts";

interface LaidOutImage {
  readonly decoded: DecodedImage;
  readonly layout: ImageLayout;
}

/**
 * Uploads an image and resizes it as its layout says. The result cuts and normalises patches when
 * they are asked for. The decoded image is read once; the caller keeps and releases it.
 *
 * @throws ImageSizeError when the image is too large for the device
 */
export async function preparePatches(
  gpu: Gpu,
  { decoded, layout }: LaidOutImage,
  processor: ImageProcessor,
): Promise<PatchSource> {
  const { tiles } = layout;
  const patchify = await compilePatchify(gpu, processor);
  const images = await resizeAll(gpu, decoded, layout);
  const sources = new Set(tiles.map(({ from }) => images[from] as Tensor));
  return {
    tiles: tiles.length,

    write(firstTile, count, into) {
      if (firstTile < 0 || count < 1 || firstTile + count > tiles.length) {
        throw new RangeError(
          `write: tiles ${firstTile} to ${firstTile + count - 1}, expected 0 to ${tiles.length - 1}`,
        );
      }
      let patch = 0;
      for (const tile of tiles.slice(firstTile, firstTile + count)) {
        patch += patchify(images[tile.from] as Tensor, tile, into, patch, layout.background);
      }
    },

    release() {
      for (const tensor of sources) gpu.release(bufferOf(tensor));
      sources.clear();
    },
  };
}

/**
 * @returns `[H, W]` u32 each: the image, then its resizes. A resize that keeps the size is the same
 *   tensor as its source. Those that no tile is cut from are released, and undefined. So is an image
 *   that no binding holds.
 */
async function resizeAll(
  gpu: Gpu,
  decoded: DecodedImage,
  layout: ImageLayout,
): Promise<(Tensor | undefined)[]> {
  const { limits } = gpu.device;
  checkResizes(limits, layout);
  const images: (Tensor | undefined)[] = [];
  const needed = new Set<Tensor | undefined>();
  try {
    images.push(fitsDevice(limits, decoded) ? await uploadImage(gpu, decoded) : undefined);
    const { background } = layout;
    for (const step of layout.resizes) {
      const source = images[step.from];
      const { width, height, filter, part, crop } = step;
      images.push(
        source
          ? await resize(gpu, source, width, height, filter, { part, crop, background })
          : await resizeInBands(gpu, decoded, step, background),
      );
    }
    for (const { from } of layout.tiles) needed.add(images[from]);
    return images;
  } finally {
    // When a step has failed, nothing is needed.
    for (const tensor of new Set(images)) {
      if (tensor && !needed.has(tensor)) gpu.release(bufferOf(tensor));
    }
  }
}
