import * as z from "zod/mini";
import { Positive, checkSame, supportsOnly, parseConfig } from "./config.ts";
import {
  HALF,
  checkImage,
  imageTokenFields,
  imageTokenId,
  namedToken,
  normalization,
  normalizationFields,
  parseImageSettings,
  resizeFilter,
} from "./image-settings.ts";
import type {
  CheckpointFiles,
  ImageLayout,
  ImageProcessor,
  ModelOptions,
  Size,
  Tile,
} from "./model.ts";
import { nearestMultiple, smartResize } from "./smart-resize.ts";
import { type TileGrid, closestGrid, tileGrids, tilesOf } from "./tile-grids.ts";

/** The fields of config.json. */
const Config = z.object({
  ...imageTokenFields,
  downsample_factor: z.nullish(Positive),
  vision_config: z.optional(z.object({ patch_size: z.nullish(Positive) })),
});

/**
 * The image processor's fields, with the defaults of transformers' LFM2-VL class. The reference reads
 * neither `do_resize`, `size` and `max_num_patches` nor processor_config.json's
 * `use_image_special_tokens`.
 */
const Settings = z.object({
  downsample_factor: z._default(Positive, 2),
  encoder_patch_size: z._default(Positive, 16),
  do_image_splitting: z._default(z.boolean(), true),
  min_tiles: z._default(Positive, 2),
  max_tiles: z._default(Positive, 10),
  tile_size: z._default(Positive, 512),
  use_thumbnail: z._default(z.boolean(), true),
  min_image_tokens: z._default(Positive, 64),
  max_image_tokens: z._default(Positive, 256),
  max_pixels_tolerance: z._default(z.number().check(z.positive()), 2),
  do_pad: supportsOnly(true),
  resample: z._default(z.int(), 2),
  ...normalizationFields(HALF, HALF),
});
type Settings = z.output<typeof Settings>;

const FILE = "preprocessor_config.json";

/**
 * The image processing of LFM2-VL. An image is resized to between 64 and 256 tokens and keeps its
 * proportions. A larger image is also resized to the grid of tiles with the closest aspect ratio, and
 * its tiles come first. Low detail has no tiles. `maxImageTokens` excludes the grids that take more
 * tokens, and caps the limits of the whole image. The whole may exceed them slightly, because
 * enlarging rounds up.
 *
 * @throws Error naming the file and field that is wrong
 */
export function lfm2VlProcessor(
  files: CheckpointFiles,
  { maxImageTokens = Infinity }: ModelOptions = {},
): ImageProcessor {
  const config = parseConfig(Config, files);
  const settings = readSettings(files);
  const { encoder_patch_size, downsample_factor, tile_size, use_thumbnail } = settings;
  const factor = encoder_patch_size * downsample_factor; // pixels along the edge of a token
  checkSame("config.json: downsample_factor", config.downsample_factor, downsample_factor, FILE);
  const { patch_size } = config.vision_config ?? {};
  checkSame(
    "config.json: vision_config.patch_size",
    patch_size,
    encoder_patch_size,
    `encoder_patch_size in ${FILE}`,
  );
  if (tile_size % factor !== 0) {
    throw new Error(
      `preprocessor_config.json: tile_size ${tile_size}, expected a multiple of ${factor}`,
    );
  }
  const { min_image_tokens, max_image_tokens } = settings;
  if (min_image_tokens > max_image_tokens) {
    throw new Error(
      `preprocessor_config.json: min_image_tokens is ${min_image_tokens}, ` +
        `expected at most max_image_tokens, ${max_image_tokens}`,
    );
  }
  const filter = resizeFilter(settings.resample);
  const tileTokens = (tile_size / factor) ** 2;
  const limits = {
    min: Math.min(settings.min_image_tokens, maxImageTokens) * factor ** 2,
    max: Math.min(settings.max_image_tokens, maxImageTokens) * factor ** 2,
  };
  const grids = settings.do_image_splitting
    ? tileGrids(settings.min_tiles, settings.max_tiles)
    : [];
  const patches = ({ width, height }: Size) =>
    [height / encoder_patch_size, width / encoder_patch_size] as const;
  const tokens = ({ width, height }: Size) => (width / factor) * (height / factor);
  const write = promptWriter(files);

  return {
    placeholder: imageToken(files),
    imageTokenId: imageTokenId(config, 396),
    patchSize: encoder_patch_size,
    merge: downsample_factor,
    frames: 1,
    channelsLast: true,
    ...normalization(settings),

    layout(width, height, detail): ImageLayout {
      checkImage(width, height);
      const size = [width, height] as const;
      const whole = smartResize({ width, height }, factor, limits, factor);
      const wholeTokens = tokens(whole);
      const isSplit = detail !== "low" && isTooLarge({ width, height }, factor, settings);
      const thumbnailTokens = use_thumbnail ? wholeTokens : 0;
      const fitting = grids.filter(
        ({ cols, rows }) => cols * rows * tileTokens + thumbnailTokens <= maxImageTokens,
      );
      const { cols, rows } = closestGrid(size, isSplit ? fitting : [], tile_size ** 2);
      const resized = { from: 0, ...whole, filter };
      const all: Tile = { from: 1, x: 0, y: 0, ...whole };
      if (cols * rows === 1) {
        return {
          size,
          resizes: [resized],
          tiles: [all],
          rows: 0,
          cols: 0,
          grid: patches(whole),
          tokenCount: wholeTokens,
          prompt: write.whole(wholeTokens),
        };
      }
      const edge = { width: tile_size, height: tile_size };
      const tiles = tilesOf({ cols, rows }, { from: 2, x: 0, y: 0, ...edge });
      return {
        size,
        resizes: [resized, { from: 0, width: cols * tile_size, height: rows * tile_size, filter }],
        tiles: use_thumbnail ? [...tiles, { ...all, grid: patches(whole) }] : tiles,
        rows,
        cols,
        grid: patches(edge),
        tokenCount: cols * rows * tileTokens + thumbnailTokens,
        prompt: write.split({ cols, rows }, tileTokens, thumbnailTokens),
      };
    },
  };
}

/** Early checkpoints have most settings in processor_config.json. */
function readSettings(files: CheckpointFiles): Settings {
  return parseImageSettings(Settings, files, files["processor_config.json"] as object | undefined);
}

/** Whether an image is split: it has more pixels than may be shrunk to `max_image_tokens`. */
function isTooLarge(
  { width, height }: Size,
  factor: number,
  { encoder_patch_size, max_image_tokens, max_pixels_tolerance }: Settings,
): boolean {
  const nearest = (edge: number) => nearestMultiple(edge, factor, encoder_patch_size);
  return nearest(width) * nearest(height) > max_image_tokens * factor ** 2 * max_pixels_tolerance;
}

function imageToken(files: CheckpointFiles): string {
  return namedToken(files, "image_token", "<image>");
}

/** Writes the text that replaces the placeholder in the prompt. */
interface PromptWriter {
  whole(tokens: number): string;
  /** @param thumbnailTokens tokens of the whole image, which follows the tiles */
  split(grid: TileGrid, tileTokens: number, thumbnailTokens: number): string;
}

function promptWriter(files: CheckpointFiles): PromptWriter {
  const image = imageToken(files);
  const start = namedToken(files, "image_start_token", "<|image_start|>");
  const end = namedToken(files, "image_end_token", "<|image_end|>");
  const thumbnail = namedToken(files, "image_thumbnail_token", "<|img_thumbnail|>");
  return {
    whole: (tokens) => `${start}${image.repeat(tokens)}${end}`,
    split({ cols, rows }, tileTokens, thumbnailTokens) {
      let prompt = start;
      for (let row = 1; row <= rows; row++) {
        for (let col = 1; col <= cols; col++) {
          prompt += `<|img_row_${row}_col_${col}|>${image.repeat(tileTokens)}`;
        }
      }
      return `${prompt}${thumbnailTokens > 0 ? thumbnail : ""}${image.repeat(thumbnailTokens)}${end}`;
    },
  };
}
