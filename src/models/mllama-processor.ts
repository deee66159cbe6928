import * as z from "zod/mini";
import { Positive, supportsOnly, parseConfig } from "./config.ts";
import {
  HALF,
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
import type { TileGrid } from "./tile-grids.ts";

/** The fields of config.json, with the defaults of transformers' Mllama classes. */
const Config = z.object({
  ...imageTokenFields,
  vision_config: z.object({
    image_size: z._default(Positive, 448),
    patch_size: z._default(Positive, 14),
    max_num_tiles: z._default(Positive, 4),
  }),
});

/** The image processor's fields, with the defaults of transformers' Mllama class. */
const Settings = z.object({
  // Without a resize and padding an image does not consist of whole tiles.
  do_resize: supportsOnly(true),
  do_pad: supportsOnly(true),
  size: z._default(PixelSize, { height: 224, width: 224 }),
  max_image_tiles: z._default(Positive, 4),
  resample: z._default(z.int(), 2),
  ...normalizationFields(HALF, HALF),
});

/** All grids of up to `maxTiles` tiles. A grid's aspect ratio id is its index plus 1. */
export function canvasGrids(maxTiles: number): TileGrid[] {
  const lengths = Array.from({ length: maxTiles }, (_, i) => i + 1);
  return lengths.flatMap((rows) =>
    lengths.filter((cols) => rows * cols <= maxTiles).map((cols) => ({ rows, cols })),
  );
}

/**
 * The image processing of Llama 3.2 Vision. An image is put into the upper left corner of a canvas of
 * tiles: the canvas that enlarges it least, or shrinks it least where all would shrink it. The tower
 * sees the whole canvas at once, so the canvas is one tile of the layout. Low detail is a canvas of
 * one tile.
 *
 * @throws Error naming the file and field that is wrong
 */
export function mllamaProcessor(files: CheckpointFiles): ImageProcessor {
  const config = parseConfig(Config, files);
  const settings = parseImageSettings(Settings, files);
  const { image_size: edge, patch_size: patchSize, max_num_tiles } = config.vision_config;
  const filter = resizeFilter(settings.resample);
  const { height, width } = settings.size;
  if (height !== edge || width !== edge) {
    throw new Error(
      `preprocessor_config.json: size.height and size.width are ${height} and ${width}, ` +
        `expected vision_config.image_size, ${edge}`,
    );
  }
  if (settings.max_image_tiles !== max_num_tiles) {
    throw new Error(
      `preprocessor_config.json: max_image_tiles is ${settings.max_image_tiles}, ` +
        `expected vision_config.max_num_tiles, ${max_num_tiles}`,
    );
  }
  const side = Math.floor(edge / patchSize);
  const image = namedToken(files, "image_token", "<|image|>");
  return {
    placeholder: image,
    imageTokenId: imageTokenId(config, 128_256),
    patchSize,
    merge: 1,
    frames: 1,
    ...normalization(settings),

    layout(imageWidth, imageHeight, detail): ImageLayout {
      checkImage(imageWidth, imageHeight);
      const grids = canvasGrids(detail === "low" ? 1 : settings.max_image_tiles);
      const { rows, cols } = bestGrid(imageWidth, imageHeight, grids, edge);
      const canvas = { width: cols * edge, height: rows * edge };
      const fitted = fit(imageWidth, imageHeight, canvas, edge);
      const isSplit = rows * cols > 1;
      return {
        size: [imageWidth, imageHeight],
        resizes: [{ from: 0, ...fitted, filter }],
        tiles: [{ from: 1, x: 0, y: 0, ...canvas }],
        rows: isSplit ? rows : 0,
        cols: isSplit ? cols : 0,
        grid: [rows * side, cols * side],
        tokenCount: 1,
        prompt: image,
        // Each tile has a class embedding and its patches.
        attendedKeys: rows * cols * (side ** 2 + 1),
      };
    },
  };
}

/**
 * The grid whose canvas enlarges an image least, or shrinks it least where all would shrink it. A tie
 * goes to the smallest canvas.
 */
function bestGrid(
  width: number,
  height: number,
  grids: readonly TileGrid[],
  edge: number,
): TileGrid {
  const scaled = grids.map((grid) => {
    const scale = Math.min((grid.rows * edge) / height, (grid.cols * edge) / width);
    return { grid, scale, area: grid.rows * grid.cols };
  });
  const enlarging = scaled.map(({ scale }) => scale).filter((scale) => scale >= 1);
  const best =
    enlarging.length > 0 ? Math.min(...enlarging) : Math.max(...scaled.map(({ scale }) => scale));
  const [chosen] = scaled.filter(({ scale }) => scale === best).sort((a, b) => a.area - b.area);
  return (chosen as (typeof scaled)[number]).grid;
}

/** The size of an image in its canvas: its proportions stay, its longer edge is a tile's or longer. */
function fit(width: number, height: number, canvas: Size, edge: number): Size {
  const clamp = (length: number, max: number) => Math.min(Math.max(length, edge), max);
  const target = { width: clamp(width, canvas.width), height: clamp(height, canvas.height) };
  const scale = { width: target.width / width, height: target.height / height };
  const scaled = (length: number, by: number, max: number) =>
    Math.min(Math.floor(length * by) || 1, max);
  return scale.width < scale.height
    ? { width: target.width, height: scaled(height, scale.width, target.height) }
    : { width: scaled(width, scale.height, target.width), height: target.height };
}
