import * as z from "zod/mini";
import { Positive, checkSame, parseConfig, parseProcessor } from "./config.ts";
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
  Resize,
  ResizeFilter,
  Size,
  Tile,
} from "./model.ts";
import { tilesOf } from "./tile-grids.ts";

/** The fields of config.json, with the defaults of transformers' SmolVLM and Idefics3 classes. */
const Config = z.object({
  ...imageTokenFields,
  scale_factor: z._default(z.int(), 2),
  vision_config: z.object({
    image_size: z._default(z.int(), 224),
    patch_size: z._default(z.int(), 32),
  }),
});

/** What processor_config.json says again. */
const Processor = z.object({ image_seq_len: z.nullish(z.int()) });

const LongestEdge = z.object({ longest_edge: Positive });

/** The image processor's fields, with the defaults of the SmolVLM and Idefics3 classes. */
const Settings = z.object({
  do_resize: z._default(z.boolean(), true),
  size: z._default(LongestEdge, { longest_edge: 4 * 364 }),
  max_image_size: z._default(LongestEdge, { longest_edge: 364 }),
  resample: z._default(z.int(), 1),
  do_image_splitting: z._default(z.boolean(), true),
  ...normalizationFields(HALF, HALF),
});
type Settings = z.output<typeof Settings>;

/** What gives a tile's patches, and its tokens. */
const TOWER = "vision_config.image_size and patch_size";
const TOKENS = `${TOWER}, and scale_factor`;

/** Longest edge of the first resize's result. */
const MAX_IMAGE_SIZE = 4096;

interface Tokens {
  readonly fake_image_token: string;
  readonly image_token: string;
  readonly global_image_token: string;
}

/**
 * The image processing of SmolVLM and Idefics3. An image is resized so that its longer edge is
 * `size.longest_edge`, both edges are rounded up to multiples of `max_image_size.longest_edge`, and
 * the image is cut into tiles of that size. One more tile shows the whole image. An image that would
 * take more than `maxImageTokens` is resized to a smaller size, down to one tile.
 *
 * @throws Error naming the file and field that is wrong
 */
export function smolvlmProcessor(
  files: CheckpointFiles,
  { maxImageTokens = Infinity }: ModelOptions = {},
): ImageProcessor {
  const config = parseConfig(Config, files);
  const { scale_factor, vision_config } = config;
  const settings = parseImageSettings(Settings, files);
  const tokens = readTokens(files);
  const filter = resizeFilter(settings.resample);
  const side = Math.floor(vision_config.image_size / vision_config.patch_size);
  const image_seq_len = Math.floor(side ** 2 / scale_factor ** 2);
  const { image_seq_len: said } = parseProcessor(Processor, files);
  checkSame("processor_config.json: image_seq_len", said, image_seq_len, TOKENS);
  const edge = Math.floor(settings.max_image_size.longest_edge / vision_config.patch_size);
  checkSame("preprocessor_config.json: max_image_size.longest_edge, in patches", edge, side, TOWER);
  return {
    placeholder: tokens.image_token,
    imageTokenId: imageTokenId(config, 128_257),
    patchSize: vision_config.patch_size,
    merge: 1,
    frames: 1,
    ...normalization(settings),

    layout(width, height, detail): ImageLayout {
      checkImage(width, height);
      const split = settings.do_image_splitting && detail !== "low";
      const size = { width, height };
      const maxTiles = Math.floor(maxImageTokens / image_seq_len);
      const cut = split
        ? cutAtMost(maxTiles, settings, size, filter)
        : cutTiles(settings, size, filter, false);
      return {
        size: [width, height],
        ...cut,
        grid: [edge, edge],
        tokenCount: cut.tiles.length * image_seq_len,
        prompt: promptOf(cut, tokens, image_seq_len),
      };
    },
  };
}

type Cut = Pick<ImageLayout, "resizes" | "tiles" | "rows" | "cols">;

/** Cuts an image into at most `maxTiles` tiles, but one at least, by resizing it to a smaller size. */
function cutAtMost(maxTiles: number, settings: Settings, size: Size, filter: ResizeFilter): Cut {
  const step = settings.max_image_size.longest_edge;
  for (let longest_edge = settings.size.longest_edge; longest_edge > step; longest_edge -= step) {
    const cut = cutTiles({ ...settings, size: { longest_edge } }, size, filter, true);
    if (cut.tiles.length <= maxTiles) return cut;
  }
  return cutTiles(settings, size, filter, maxTiles > 1);
}

/** Each resize starts from the rounded result of the one before, as in the reference. */
function cutTiles(settings: Settings, size: Size, filter: ResizeFilter, split: boolean): Cut {
  const edge = settings.max_image_size.longest_edge;
  const resizes: Resize[] = [];
  const resizeTo = (to: Size): Size => {
    resizes.push({ from: resizes.length, ...to, filter });
    return to;
  };
  const whole = (): Tile => ({ from: resizes.length, x: 0, y: 0, width: edge, height: edge });

  const scaled = settings.do_resize ? resizeTo(scaleTo(size, settings.size.longest_edge)) : size;
  if (!split) {
    resizeTo({ width: edge, height: edge });
    return { resizes, tiles: [whole()], rows: 0, cols: 0 };
  }

  const enlarged = resizeTo(toMultiples(scaled, edge));
  const [rows, cols] = [enlarged.height / edge, enlarged.width / edge];
  if (rows * cols === 1) return { resizes, tiles: [whole()], rows: 0, cols: 0 };
  const tiles = tilesOf({ cols, rows }, whole());
  resizeTo({ width: edge, height: edge });
  return { resizes, tiles: [...tiles, whole()], rows, cols };
}

/** transformers' `get_resize_output_image_size`: the shorter edge is truncated, then made even. */
function scaleTo({ width, height }: Size, longest: number): Size {
  const ratio = width / height;
  const even = (edge: number) => Math.max(1, edge + (edge % 2));
  const scaled =
    width >= height
      ? { width: longest, height: even(Math.trunc(longest / ratio)) }
      : { width: even(Math.trunc(longest * ratio)), height: longest };
  return longest > MAX_IMAGE_SIZE ? shrinkTo(scaled, MAX_IMAGE_SIZE) : scaled;
}

function shrinkTo({ width, height }: Size, longest: number): Size {
  const ratio = width / height;
  return width >= height
    ? { width: longest, height: Math.max(1, Math.trunc(longest / ratio)) }
    : { width: Math.max(1, Math.trunc(longest * ratio)), height: longest };
}

/** transformers' `resize_for_vision_encoder`: rounds the longer edge up, then the other in proportion. */
function toMultiples({ width, height }: Size, edge: number): Size {
  const ratio = width / height;
  const up = (length: number) => Math.max(1, Math.ceil(length / edge)) * edge;
  return width >= height
    ? { width: up(width), height: up(Math.trunc(up(width) / ratio)) }
    : { width: up(Math.trunc(up(height) * ratio)), height: up(height) };
}

function promptOf({ rows, cols }: Cut, tokens: Tokens, image_seq_len: number): string {
  const { fake_image_token: fake, global_image_token, image_token } = tokens;
  const images = image_token.repeat(image_seq_len);
  let prompt = "";
  for (let row = 1; row <= rows; row++) {
    for (let col = 1; col <= cols; col++) prompt += `${fake}<row_${row}_col_${col}>${images}`;
    prompt += "\n";
  }
  if (rows > 0) prompt += "\n";
  return `${prompt}${fake}${global_image_token}${images}${fake}`;
}

function readTokens(files: CheckpointFiles): Tokens {
  const token = (name: keyof Tokens, otherwise: string) => namedToken(files, name, otherwise);
  return {
    fake_image_token: token("fake_image_token", "<fake_token_around_image>"),
    image_token: token("image_token", "<image>"),
    global_image_token: token("global_image_token", "<global-img>"),
  };
}
