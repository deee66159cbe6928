import * as z from "zod/mini";
import { bestCanvas, fitInto, keptFeatures } from "./anyres.ts";
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
import type { CheckpointFiles, ImageLayout, ImageProcessor, ModelOptions, Size } from "./model.ts";
import { tilesOf } from "./tile-grids.ts";

/** A canvas. */
const Pinpoint = z.tuple([Positive, Positive]);

/** The fields of config.json, with the defaults of transformers' LLaVA-OneVision class. */
const Config = z.object({
  ...imageTokenFields,
  vision_aspect_ratio: z._default(z.string().check(z.regex(/^anyres_max_\d+$/)), "anyres_max_9"),
  vision_feature_select_strategy: supportsOnly("full"),
  image_grid_pinpoints: z.nullish(z.array(Pinpoint)),
  vision_config: z.object({ patch_size: z._default(z.int(), 16), image_size: z.nullish(z.int()) }),
});

/** What processor_config.json says again. */
const Processor = z.object({
  num_image_tokens: z.nullish(z.int()),
  vision_aspect_ratio: z.nullish(z.string()),
  vision_feature_select_strategy: supportsOnly("full"),
});

/** The default canvases have 1 to 6 tiles along each edge. */
const MAX_EDGE_TILES = 6;

/** The image processor's fields, with the defaults of transformers' LLaVA-OneVision class. */
const Settings = z.object({
  // Without a resize an image does not consist of whole tiles.
  do_resize: supportsOnly(true),
  crop_size: supportsOnly(null),
  size: z._default(PixelSize, { height: 384, width: 384 }),
  image_grid_pinpoints: z._default(
    z.array(Pinpoint),
    Array.from({ length: MAX_EDGE_TILES ** 2 }, (_, i): [height: number, width: number] => [
      384 * (Math.floor(i / MAX_EDGE_TILES) + 1),
      384 * ((i % MAX_EDGE_TILES) + 1),
    ]),
  ),
  resample: z._default(z.int(), 3),
  ...normalizationFields(CLIP_MEAN, CLIP_STD),
});

/** The processor, and the numbers that its tiles' features are packed by. */
export interface OnevisionProcessor extends ImageProcessor {
  /** Features along the edge of a tile. */
  readonly side: number;
  /** A canvas with more features is shrunk to about this many, once it is 1.1 times as wide and high. */
  readonly maxFeatures: number;
}

/**
 * The image processing of LLaVA-OneVision. The only image of a prompt is resized to one tile, and a
 * second time to the tiles of the best canvas. Images of low detail, and those of a prompt with
 * several, are padded to a square and become one tile each. `maxImageTokens` excludes the canvases
 * that take more tokens.
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
  checkSettings(files, config, settings, side);
  const filter = resizeFilter(settings.resample);
  const image = namedToken(files, "image_token", "<image>");
  const scale = normalization(settings);
  const whole = { from: 1, x: 0, y: 0, width: edge, height: edge };

  /** Tokens of an image on a canvas: each line of features ends in a newline. */
  const canvasTokens = (canvas: Size, size: Size): number => {
    const grid = { width: (canvas.width / edge) * side, height: (canvas.height / edge) * side };
    const { shrunk } = keptFeatures(size, grid, maxFeatures);
    return side ** 2 + shrunk.height * (shrunk.width + 1);
  };

  const layOutOnCanvas = (canvas: Size, size: Size) => {
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
      tokenCount: canvasTokens(canvas, size),
    };
  };

  const layOutInTile = ({ width, height }: Size) => {
    const longest = Math.max(width, height);
    const start = (length: number) => 0 - Math.floor((longest - length) / 2);
    const part = { x: start(width), y: start(height), width: longest, height: longest };
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
      const allowed = detail === "low" || images > 1 ? [] : canvases;
      const canvas = bestCanvas(
        size,
        allowed.filter((canvas) => canvasTokens(canvas, size) <= maxImageTokens),
      );
      const layout = canvas ? layOutOnCanvas(canvas, size) : layOutInTile(size);
      return {
        size: [width, height],
        ...layout,
        grid: [side, side],
        prompt: image.repeat(layout.tokenCount),
      };
    },
  };
}

/** What gives the tokens of a tile. */
const TOWER = "size and vision_config.patch_size";

/** Throws Error when settings that stand in several files differ. */
function checkSettings(
  files: CheckpointFiles,
  config: z.output<typeof Config>,
  { size, image_grid_pinpoints }: z.output<typeof Settings>,
  side: number,
): void {
  const processor = parseProcessor(Processor, files);
  const ours = (field: string) => `processor_config.json: ${field}`;
  checkSame(ours("num_image_tokens"), processor.num_image_tokens, side ** 2, TOWER);
  const { vision_aspect_ratio } = processor;
  checkSame(
    ours("vision_aspect_ratio"),
    vision_aspect_ratio,
    config.vision_aspect_ratio,
    "config.json",
  );
  const pinpoints = "config.json: image_grid_pinpoints";
  checkSame(pinpoints, config.image_grid_pinpoints, image_grid_pinpoints, "the image processor");
  const { image_size } = config.vision_config;
  checkSame(
    "preprocessor_config.json: size",
    [size.height, size.width],
    [image_size ?? size.height, image_size ?? size.height],
    "vision_config.image_size",
  );
}

/** The mean as RGBA8, rounded down. */
function meanColour(mean: readonly number[]): number {
  const [r = 0, g = 0, b = 0] = mean.map((value) => Math.trunc(value * 255));
  return r | (g << 8) | (b << 16);
}
