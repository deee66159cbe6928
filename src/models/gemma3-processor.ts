import * as z from "zod/mini";
import type { Rectangle } from "../ops/unpack-image.ts";
import { Positive, checkSame, parseConfig, parseProcessor } from "./config.ts";
import {
  SquareTower,
  checkImage,
  imageTokenFields,
  imageTokenId,
  namedToken,
  normalization,
  parseImageSettings,
  resizeFilter,
  squareGrid,
  fixedSizeFields,
} from "./image-settings.ts";
import type { CheckpointFiles, ImageLayout, ImageProcessor, ModelOptions } from "./model.ts";

/** The fields of config.json, with the defaults of transformers' Gemma 3 and SigLIP classes. */
const Config = z.object({
  ...imageTokenFields,
  mm_tokens_per_image: z._default(Positive, 256),
  vision_config: SquareTower,
});

/** The field of processor_config.json that repeats one of config.json. */
const Processor = z.object({ image_seq_length: z.nullish(z.int()) });

/** The image processor's fields, with the defaults of transformers' Gemma 3 processor. */
const Settings = z.object({
  ...fixedSizeFields(2),
  do_pan_and_scan: z.nullish(z.boolean()),
  pan_and_scan_min_crop_size: z.nullish(Positive),
  pan_and_scan_max_num_crops: z.nullish(Positive),
  pan_and_scan_min_ratio_to_activate: z.nullish(z.number()),
});

/**
 * The image processing of Gemma 3. An image is resized to a square whatever its proportions. With the
 * setting `do_pan_and_scan`, a long image is also cut along its longer edge into crops, and each crop
 * is resized to the square. Low detail has no crops, and `maxImageTokens` limits their number.
 *
 * @throws Error naming the file and field that is wrong
 */
export function gemma3Processor(
  files: CheckpointFiles,
  { maxImageTokens = Infinity }: ModelOptions = {},
): ImageProcessor {
  const config = parseConfig(Config, files);
  const settings = parseImageSettings(Settings, files);
  const filter = resizeFilter(settings.resample);
  const grid = squareGrid(settings.size, config.vision_config);
  const { width, height } = settings.size;
  const tileTokens = config.mm_tokens_per_image;
  const { image_seq_length } = parseProcessor(Processor, files);
  checkSame(
    "processor_config.json: image_seq_length",
    image_seq_length,
    tileTokens,
    "mm_tokens_per_image",
  );
  const affordable = Math.floor(maxImageTokens / tileTokens) - 1;
  const crops = cropRules(settings, affordable);
  const start = namedToken(files, "boi_token", "<start_of_image>");
  const image = namedToken(files, "image_token", "<image_soft_token>");
  const end = namedToken(files, "eoi_token", "<end_of_image>");
  const one = `\n\n${start}${image.repeat(tileTokens)}${end}\n\n`;

  return {
    placeholder: start,
    imageTokenId: imageTokenId(config, 262_144),
    patchSize: config.vision_config.patch_size,
    merge: 1,
    frames: 1,
    ...normalization(settings),

    layout(imageWidth, imageHeight, detail): ImageLayout {
      checkImage(imageWidth, imageHeight);
      const parts = detail === "low" ? [] : panAndScan(imageWidth, imageHeight, crops);
      const resized = { from: 0, width, height, filter };
      const tile = { x: 0, y: 0, width, height };
      const isWide = imageWidth >= imageHeight;
      return {
        size: [imageWidth, imageHeight],
        resizes: [resized, ...parts.map((part) => ({ ...resized, part }))],
        tiles: [1, ...parts.map((_, i) => i + 2)].map((from) => ({ ...tile, from })),
        rows: isWide ? Math.min(1, parts.length) : parts.length,
        cols: isWide ? parts.length : Math.min(1, parts.length),
        grid,
        tokenCount: (1 + parts.length) * tileTokens,
        prompt: parts.length === 0 ? one : withCrops(one, parts.length),
      };
    },
  };
}

/** The text of an image with crops. */
function withCrops(one: string, count: number): string {
  const crops = new Array<string>(count).fill(one).join(" ");
  return `Here is the original image ${one} and here are some crops to help you see better ${crops}`;
}

interface CropRules {
  /** Shortest edge of a crop, in pixels. */
  readonly minSize: number;
  readonly maxCount: number;
  /** An image with a lower ratio of the longer to the shorter edge has no crops. */
  readonly minRatio: number;
}

/** @returns undefined where images have no crops */
function cropRules(settings: z.output<typeof Settings>, affordable: number): CropRules | undefined {
  if (!settings.do_pan_and_scan || affordable < 2) return undefined;
  return {
    minSize: settings.pan_and_scan_min_crop_size ?? 256,
    maxCount: Math.min(affordable, settings.pan_and_scan_max_num_crops ?? 4),
    minRatio: settings.pan_and_scan_min_ratio_to_activate ?? 1.2,
  };
}

/** Equal parts along the longer edge, about square. An image that is not long enough has none. */
function panAndScan(width: number, height: number, rules: CropRules | undefined): Rectangle[] {
  if (!rules) return [];
  const [longer, shorter] = width >= height ? [width, height] : [height, width];
  if (longer / shorter < rules.minRatio) return [];
  const wanted = Math.min(Math.floor(longer / rules.minSize), Math.floor(longer / shorter + 0.5));
  const count = Math.min(rules.maxCount, Math.max(2, wanted));
  const length = Math.ceil(longer / count);
  if (Math.min(length, shorter) < rules.minSize) return [];
  return Array.from({ length: Math.ceil(longer / length) }, (_, i) => {
    const start = i * length;
    const extent = Math.min(length, longer - start);
    return width >= height
      ? { x: start, y: 0, width: extent, height }
      : { x: 0, y: start, width, height: extent };
  });
}
