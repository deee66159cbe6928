import type { Gpu } from "../gpu/device.ts";
import { type Tensor, bufferOf } from "../gpu/tensor.ts";
import type { ImageLayout, ImageProcessor, PatchSource } from "../models/model.ts";
import { compilePatchify } from "../ops/patchify.ts";
import { resize } from "../ops/resize.ts";
import type { Picture } from "../platform/platform.ts";
import { uploadPicture } from "./upload-picture.ts";

interface LaidOutPicture {
  readonly picture: Picture;
  readonly layout: ImageLayout;
}

/**
 * Uploads a picture and resizes it as its layout says; patches are cut and normalised when they
 * are asked for. The picture is read once and stays the caller's.
 *
 * @throws RangeError when the picture is too large for the device
 */
export async function preparePatches(
  gpu: Gpu,
  { picture, layout }: LaidOutPicture,
  processor: ImageProcessor,
): Promise<PatchSource> {
  const { tiles } = layout;
  const patchify = await compilePatchify(gpu, processor);
  const pictures = await resizeAll(gpu, picture, layout);
  const held = new Set(tiles.map(({ from }) => pictures[from] as Tensor));
  return {
    tiles: tiles.length,

    write(firstTile, count, into) {
      if (firstTile < 0 || count < 1 || firstTile + count > tiles.length) {
        throw new RangeError(`write: ${count} tiles from ${firstTile} on, of ${tiles.length}`);
      }
      let row = 0;
      for (const tile of tiles.slice(firstTile, firstTile + count)) {
        row += patchify(pictures[tile.from] as Tensor, tile, into, row, layout.background);
      }
    },

    release() {
      for (const tensor of held) gpu.release(bufferOf(tensor));
      held.clear();
    },
  };
}

/**
 * @returns `[H, W]` u32 each: the picture, then its resizes (the same tensor where a resize keeps
 *   the size); those that no tile shows are released
 */
async function resizeAll(gpu: Gpu, picture: Picture, layout: ImageLayout): Promise<Tensor[]> {
  const pictures: Tensor[] = [];
  const needed = new Set<Tensor>();
  try {
    pictures.push(await uploadPicture(gpu, picture));
    const { background } = layout;
    for (const { from, part, width, height, filter } of layout.resizes) {
      const source = pictures[from] as Tensor;
      pictures.push(await resize(gpu, source, width, height, filter, { part, background }));
    }
    for (const { from } of layout.tiles) needed.add(pictures[from] as Tensor);
    return pictures;
  } finally {
    // Nothing is needed when a step failed.
    for (const tensor of new Set(pictures)) if (!needed.has(tensor)) gpu.release(bufferOf(tensor));
  }
}
