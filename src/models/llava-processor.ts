import * as z from "zod/mini";
import type { Rectangle } from "../ops/unpack-image.ts";
import { Positive, checkSame, supportsOnly, parseConfig, parseProcessor } from "./config.ts";
import {
  CLIP_MEAN,
  CLIP_STD,
  PixelSize,
  checkImage,
  imageTokenFields,
  imageTokenId,
  namedToken,
  normalization,
  normalizationFields,
  parseImageSettings,
  resizeFilter,
} from "./image-settings.ts";
import type { CheckpointFiles, ImageLayout, ImageProcessor, Size } from "./model.ts";

/** The fields of config.json, with the default of transformers' LLaVA class. */
const Config = z.object({
  ...imageTokenFields,
  vision_config: z.object({
    image_size: z.nullish(z.int()),
    patch_size: z._default(z.int(), 32),
  }),
});

/** What processor_config.json may say again, or else. */
const Processor = z.object({
  patch_size: z.nullish(z.int()),
  num_additional_image_tokens: z.nullish(z.int()),
  vision_feature_select_strategy: supportsOnly("default"),
});

/** `size`: the length of the shorter edge, as a number too, or a size whatever the proportions. */
const CropSource = z.union([
  z.pipe(
    Positive,
    z.transform((shortest_edge) => ({ shortest_edge })),
  ),
  z.strictObject({ shortest_edge: Positive }),
  PixelSize,
]);

/** The image processor's fields, with the defaults of transformers' CLIP class. */
const Settings = z.object({
  do_resize: z._default(z.boolean(), true),
  size: z._default(CropSource, { shortest_edge: 224 }),
  pad_size: supportsOnly(null),
  crop_size: z._default(PixelSize, { height: 224, width: 224 }),
  resample: z._default(z.int(), 3),
  ...normalizationFields(CLIP_MEAN, CLIP_STD),
  do_center_crop: supportsOnly(true),
});

/** Where the tower's settings are. */
const TOWER = "vision_config";

/** Pixels along an edge of the resized image. Longer ones take seconds, and the reference gigabytes. */
const MAX_EDGE = 2 ** 23;

/**
 * The image processing of LLaVA-1.5, which is CLIP's: the image is resized, by the settings of most
 * checkpoints so that its shorter edge has a fixed length, and the middle is cropped. The number of
 * tokens does not depend on the detail.
 *
 * @throws Error naming the file and field that is wrong
 */
export function llavaProcessor(files: CheckpointFiles): ImageProcessor {
  const config = parseConfig(Config, files);
  const settings = parseImageSettings(Settings, files);
  const { image_size, patch_size } = config.vision_config;
  const filter = resizeFilter(settings.resample);
  const { size: target, do_resize } = settings;
  const { width: cropWidth, height: cropHeight } = settings.crop_size;
  // The tower has learned positions for one square.
  for (const edge of [cropHeight, cropWidth]) {
    checkSame("config.json: vision_config.image_size", image_size, edge, "crop_size");
  }
  const tile = { width: cropWidth, height: cropHeight };
  const grid = [Math.floor(cropHeight / patch_size), Math.floor(cropWidth / patch_size)] as const;
  const tokenCount = grid[0] * grid[1];
  const processor = parseProcessor(Processor, files);
  checkSame("processor_config.json: patch_size", processor.patch_size, patch_size, TOWER);
  // The class token.
  const added = processor.num_additional_image_tokens;
  checkSame("processor_config.json: num_additional_image_tokens", added, 1, TOWER);
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
      const resized = do_resize ? resizedTo(target, { width, height }) : { width, height };
      if (Math.max(resized.width, resized.height) > MAX_EDGE) {
        throw new RangeError(
          `layout: resized, the image is ${resized.width} x ${resized.height} pixels, ` +
            `expected edges of ${MAX_EDGE} or less`,
        );
      }
      const middle = {
        x: Math.trunc((resized.width - cropWidth) / 2),
        y: Math.trunc((resized.height - cropHeight) / 2),
      };
      // Only the crop is computed: an elongated image is very large after the resize.
      const kept = overlap({ ...middle, ...tile }, resized);
      return {
        size: [width, height],
        resizes: do_resize ? [{ from: 0, ...resized, crop: kept, filter }] : [],
        tiles: [
          do_resize
            ? { from: 1, x: middle.x - kept.x, y: middle.y - kept.y, ...tile }
            : { from: 0, ...middle, ...tile },
        ],
        rows: 0,
        cols: 0,
        grid,
        tokenCount,
        prompt: image.repeat(tokenCount),
      };
    },
  };
}

/** The part of a rectangle that lies in an image. */
function overlap({ x, y, width, height }: Rectangle, image: Size): Rectangle {
  const [left, top] = [Math.max(0, x), Math.max(0, y)];
  return {
    x: left,
    y: top,
    width: Math.min(x + width, image.width) - left,
    height: Math.min(y + height, image.height) - top,
  };
}

function resizedTo(target: z.output<typeof CropSource>, image: Size): Size {
  if ("height" in target) return target;
  const shorter = Math.min(image.width, image.height);
  const scale = (length: number) => Math.trunc((target.shortest_edge * length) / shorter);
  return { width: scale(image.width), height: scale(image.height) };
}
