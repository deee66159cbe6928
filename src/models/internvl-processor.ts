import * as z from "zod/mini";
import { Positive, checkSame, parseConfig, parseProcessor } from "./config.ts";
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
import type { CheckpointFiles, ImageLayout, ImageProcessor, ModelOptions } from "./model.ts";
import { type TileGrid, closestGrid, tileGrids, tilesOf } from "./tile-grids.ts";

const WHOLE_BLOCKS = "1 divided by an integer";

/** Schema of `downsample_ratio`: blocks of whole patches become one. */
export const DownsampleRatio = z._default(
  z.number().check(z.refine((ratio) => ratio > 0 && Number.isInteger(1 / ratio), WHOLE_BLOCKS)),
  0.5,
);

/** The fields of config.json, with the defaults of transformers' InternVL class. */
const Config = z.object({
  ...imageTokenFields,
  downsample_ratio: DownsampleRatio,
  vision_config: z.object({ patch_size: z.union([z.int(), z.tuple([z.int(), z.int()])]) }),
});

/** What processor_config.json says again. */
const Processor = z.object({ image_seq_length: z.nullish(z.int()) });

/**
 * The image processor's fields, with the defaults of transformers' GOT-OCR2 class. The
 * reference cuts every image into patches, which resizes it, whatever `do_resize`, `crop_to_patches`
 * and `use_thumbnail` say.
 */
const Settings = z.object({
  size: z._default(PixelSize, { height: 384, width: 384 }),
  min_patches: z._default(Positive, 1),
  max_patches: z._default(Positive, 12),
  resample: z._default(z.int(), 3),
  ...normalizationFields(CLIP_MEAN, CLIP_STD),
});

/** What gives the tokens of a tile. */
const TOKENS = "size, vision_config.patch_size and downsample_ratio";

export interface InternvlProcessor extends ImageProcessor {
  /** Patches along a tile's edge. */
  readonly side: number;
}

/**
 * The image processing of InternVL. An image is resized to the grid of tiles with the closest aspect
 * ratio, and a second time to one tile that shows all of it. Low detail is the second tile alone.
 * `maxImageTokens` excludes the grids that take more tokens, but never the single tile.
 *
 * @throws Error naming the file and field that is wrong
 */
export function internvlProcessor(
  files: CheckpointFiles,
  { maxImageTokens = Infinity }: ModelOptions = {},
): InternvlProcessor {
  const config = parseConfig(Config, files);
  const { downsample_ratio, vision_config } = config;
  const settings = parseImageSettings(Settings, files);
  const [patchSize = 0] = [vision_config.patch_size].flat();
  const { width, height } = settings.size;
  const grid = [Math.floor(height / patchSize), Math.floor(width / patchSize)] as const;
  const tileTokens = grid[0] * grid[1] * downsample_ratio ** 2;
  const { image_seq_length } = parseProcessor(Processor, files);
  checkSame("processor_config.json: image_seq_length", image_seq_length, tileTokens, TOKENS);
  const maxTiles = Math.floor(maxImageTokens / tileTokens);
  const grids = tileGrids(settings.min_patches, settings.max_patches).filter(
    ({ cols, rows }) => cols * rows + 1 <= maxTiles,
  );
  const filter = resizeFilter(settings.resample);
  const image = namedToken(files, "context_image_token", "<IMG_CONTEXT>");
  const start = namedToken(files, "start_image_token", "<img>");
  const end = namedToken(files, "end_image_token", "</img>");

  const split = ({ cols, rows }: TileGrid): Pick<ImageLayout, "resizes" | "tiles"> => {
    const thumbnail = { from: 0, width, height, filter };
    const whole = { from: 1, x: 0, y: 0, width, height };
    if (cols * rows === 1) return { resizes: [thumbnail], tiles: [whole] };
    const tiles = tilesOf({ cols, rows }, { ...whole, from: 2 });
    const enlarged = { from: 0, width: cols * width, height: rows * height, filter };
    return { resizes: [thumbnail, enlarged], tiles: [...tiles, whole] };
  };

  return {
    placeholder: image,
    imageTokenId: imageTokenId(config, 151_667),
    patchSize,
    merge: 1,
    frames: 1,
    ...normalization(settings),
    side: grid[0],

    layout(imageWidth, imageHeight, detail): ImageLayout {
      checkImage(imageWidth, imageHeight);
      const size = [imageWidth, imageHeight] as const;
      const best = closestGrid(size, detail === "low" ? [] : grids, width * height);
      const layout = split(best);
      const isSplit = layout.tiles.length > 1;
      const tokenCount = layout.tiles.length * tileTokens;
      return {
        size,
        ...layout,
        rows: isSplit ? best.rows : 0,
        cols: isSplit ? best.cols : 0,
        grid,
        tokenCount,
        prompt: `${start}${image.repeat(tokenCount)}${end}`,
      };
    },
  };
}
