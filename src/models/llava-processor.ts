import * as z from "zod/mini";
import { Positive, parseConfig } from "./config.ts";
import {
  CLIP_MEAN,
  CLIP_STD,
  PixelSize,
  checkImage,
  checkProportions,
  imageTokenFields,
  imageTokenId,
  namedToken,
  normalization,
  normalizationFields,
  parseImageSettings,
  resizeFilter,
} from "./image-settings.ts";
import type { CheckpointFiles, ImageLayout, ImageProcessor } from "./model.ts";

/** The fields of config.json, with the default of transformers' LLaVA class. */
const Config = z.object({
  ...imageTokenFields,
  vision_config: z.object({ patch_size: z.int() }),
});

/** The image processor's fields, with the defaults of transformers' CLIP class. */
const Settings = z.object({
  do_resize: z._default(z.literal(true), true),
  size: z._default(z.object({ shortest_edge: Positive }), { shortest_edge: 224 }),
  do_center_crop: z._default(z.literal(true), true),
  crop_size: z._default(PixelSize, { height: 224, width: 224 }),
  resample: z._default(z.int(), 3),
  ...normalizationFields(CLIP_MEAN, CLIP_STD),
});

/**
 * The image processing of LLaVA-1.5, which is CLIP's: the image is resized so that its shorter edge
 * has a fixed length, and the middle is cropped. The number of tokens does not depend on the detail.
 *
 * @throws Error naming the file and field that is wrong
 */
export function llavaProcessor(files: CheckpointFiles): ImageProcessor {
  const config = parseConfig(Config, files);
  const settings = parseImageSettings(Settings, files);
  const { patch_size } = config.vision_config;
  const filter = resizeFilter(settings.resample);
  const { shortest_edge } = settings.size;
  const crop = settings.crop_size;
  const grid = [Math.floor(crop.height / patch_size), Math.floor(crop.width / patch_size)] as const;
  const tokenCount = grid[0] * grid[1];
  const image = namedToken(files, "image_token", "<image>");
  return {
    placeholder: image,
    imageTokenId: imageTokenId(config, 32_000),
    patchSize: patch_size,
    merge: 1,
    frames: 1,
    ...normalization(settings),

    layout(width, height): ImageLayout {
      checkImage(width, height);
      checkProportions(width, height); // The resized image is on the GPU before it is cropped.
      const shorter = Math.min(width, height);
      const scale = (length: number) => Math.trunc((shortest_edge * length) / shorter);
      const resized = { width: scale(width), height: scale(height) };
      const middle = {
        x: Math.trunc((resized.width - crop.width) / 2),
        y: Math.trunc((resized.height - crop.height) / 2),
      };
      return {
        size: [width, height],
        resizes: [{ from: 0, ...resized, filter }],
        tiles: [{ from: 1, ...middle, width: crop.width, height: crop.height }],
        rows: 0,
        cols: 0,
        grid,
        tokenCount,
        prompt: image.repeat(tokenCount),
      };
    },
  };
}
