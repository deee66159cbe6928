import * as z from "zod/mini";
import { bestCanvas, fitInto, keptFeatures } from "./anyres.ts";
import { Positive, parseConfig } from "./config.ts";
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
import type { CheckpointFiles, ImageLayout, ImageProcessor, ModelOptions, Size } from "./model.ts";
import { tilesOf } from "./tile-grids.ts";

/** The fields of config.json, with the defaults of transformers' LLaVA-OneVision class. */
const Config = z.object({
  ...imageTokenFields,
  vision_aspect_ratio: z._default(z.string().check(z.regex(/^anyres_max_\d+$/)), "anyres_max_9"),
  vision_config: z.object({ patch_size: z.int() }),
});

/** Edges of the canvases in tiles: all of 1 x 1 to 6 x 6. */
const MOST_TILES = 6;

/** The image processor's fields, with the defaults of transformers' LLaVA-OneVision class. */
const Settings = z.object({
  // An image that is not resized has no whole tiles.
  do_resize: z._default(z.literal(true), true),
  size: z._default(PixelSize, { height: 384, width: 384 }),
  image_grid_pinpoints: z._default(
    z.array(z.tuple([Positive, Positive])),
    Array.from({ length: MOST_TILES ** 2 }, (_, i): [height: number, width: number] => [
      384 * (Math.floor(i / MOST_TILES) + 1),
      384 * ((i % MOST_TILES) + 1),
    ]),
  ),
  resample: z._default(z.int(), 3),
  ...normalizationFields(CLIP_MEAN, CLIP_STD),
});

/** The processor, and the numbers that its tiles' features are put together by. */
export interface OnevisionProcessor extends ImageProcessor {
  /** Features of one tile by width and by height. */
  readonly side: number;
  /** Features of a canvas from which on it is shrunk, but for a tenth. */
  readonly maxFeatures: number;
}

/**
 * The image processing of LLaVA-OneVision: a prompt's only image is shown whole, squashed to a
 * tile, and once more in the tiles of the best canvas. Of several images, or of low detail, each
 * is one tile, padded to a square. `maxImageTokens` leaves out the canvases that take more.
 *
 * @throws Error naming the file and field that is wrong
 */
export function onevisionProcessor(
  files: CheckpointFiles,
  { maxImageTokens = Infinity }: ModelOptions = {},
): OnevisionProcessor {
  const config = parseConfig(Config, files);
  const settings = parseImageSettings(Settings, files);
  const { patch_size } = config.vision_config;
  const edge = settings.size.height;
  const side = Math.floor(edge / patch_size);
  const maxFeatures = Number(config.vision_aspect_ratio.replace(/\D+/, "")) * side ** 2;
  const canvases = settings.image_grid_pinpoints.map(([height, width]) => ({ width, height }));
  const filter = resizeFilter(settings.resample);
  const image = namedToken(files, "image_token", "<image>");
  const scale = normalization(settings);
  const whole = { from: 1, x: 0, y: 0, width: edge, height: edge };

  /** Rows of an image in the tiles of a canvas, each line with a newline behind it. */
  const rowsOn = (canvas: Size, size: Size): number => {
    const grid = { width: (canvas.width / edge) * side, height: (canvas.height / edge) * side };
    const { shrunk } = keptFeatures(size, grid, maxFeatures);
    return side ** 2 + shrunk.height * (shrunk.width + 1);
  };

  const onCanvas = (canvas: Size, size: Size) => {
    const fitted = fitInto(size, canvas);
    const left = Math.floor((canvas.width - fitted.width) / 2);
    const top = Math.floor((canvas.height - fitted.height) / 2);
    const [rows, cols] = [canvas.height / edge, canvas.width / edge];
    const tiles = tilesOf({ cols, rows }, { ...whole, from: 2, x: -left, y: -top });
    return {
      resizes: [
        { from: 0, width: edge, height: edge, filter },
        { from: 0, ...fitted, filter },
      ],
      tiles: [whole, ...tiles],
      rows,
      cols,
      tokenCount: rowsOn(canvas, size),
    };
  };

  const alone = ({ width, height }: Size) => {
    const longest = Math.max(width, height);
    const before = (length: number) => 0 - Math.floor((longest - length) / 2);
    const part = { x: before(width), y: before(height), width: longest, height: longest };
    return {
      resizes: [{ from: 0, part, width: edge, height: edge, filter }],
      tiles: [whole],
      background: meanColour(scale.mean),
      rows: 0,
      cols: 0,
      tokenCount: side ** 2 + 1,
    };
  };

  return {
    placeholder: image,
    imageTokenId: imageTokenId(config, 151_646),
    patchSize: patch_size,
    merge: 1,
    frames: 1,
    ...scale,
    side,
    maxFeatures,

    layout(width, height, detail, images = 1): ImageLayout {
      checkImage(width, height);
      const size = { width, height };
      const open = detail === "low" || images > 1 ? [] : canvases;
      const canvas = bestCanvas(
        size,
        open.filter((canvas) => rowsOn(canvas, size) <= maxImageTokens),
      );
      const layout = canvas ? onCanvas(canvas, size) : alone(size);
      return {
        size: [width, height],
        ...layout,
        grid: [side, side],
        prompt: image.repeat(layout.tokenCount),
      };
    },
  };
}

/** RGBA8 of the mean, rounded down. */
function meanColour(mean: readonly number[]): number {
  const [r = 0, g = 0, b = 0] = mean.map((value) => Math.trunc(value * 255));
  return r | (g << 8) | (b << 16);
}
