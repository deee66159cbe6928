import * as z from "zod/mini";
import { Positive, checkSame, parseConfig } from "./config.ts";
import {
  CLIP_MEAN,
  CLIP_STD,
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
import type { CheckpointFiles, ImageLayout, ImageProcessor, ModelOptions, Size } from "./model.ts";
import { type Limits, smartResize } from "./smart-resize.ts";

/** The fields of config.json. */
const Config = z.object({
  ...imageTokenFields,
  vision_config: z.optional(
    z.object({
      patch_size: z.nullish(z.int()),
      temporal_patch_size: z.nullish(z.int()),
      spatial_merge_size: z.nullish(z.int()),
    }),
  ),
});

/** The image processor's fields, with the defaults of transformers' Qwen2VLImageProcessor. */
const Settings = z.object({
  do_resize: z._default(z.boolean(), true),
  size: z.nullish(
    z.object({ shortest_edge: z.nullish(Positive), longest_edge: z.nullish(Positive) }),
  ),
  min_pixels: z.nullish(Positive),
  max_pixels: z.nullish(Positive),
  patch_size: z._default(Positive, 14),
  temporal_patch_size: z._default(Positive, 2),
  merge_size: z._default(Positive, 2),
  resample: z._default(z.int(), 3),
  ...normalizationFields(CLIP_MEAN, CLIP_STD),
});
type Settings = z.output<typeof Settings>;

/** Of transformers' class, in pixels. Saved again, a file may have null in place of it. */
const DEFAULT_SIZE = { shortest_edge: 56 * 56, longest_edge: 28 * 28 * 1280 };

/** An image of low detail is shrunk to this many tokens, unless `min_pixels` asks for more. */
const LOW_DETAIL_TOKENS = 256;

/**
 * The image processing of Qwen2-VL, Qwen2.5-VL and Qwen3-VL. The whole image is resized to a number of
 * pixels between `min_pixels` and `max_pixels`, and its edges to whole image tokens. Low detail lowers
 * `max_pixels` to 256 tokens; automatic detail is high detail. `maxImageTokens` caps both limits.
 * An image may exceed them slightly: enlarging rounds up, and an edge has one token at least.
 *
 * @throws Error naming the file and field that is wrong
 */
export function qwenVlProcessor(
  files: CheckpointFiles,
  { maxImageTokens = Infinity }: ModelOptions = {},
): ImageProcessor {
  const config = parseConfig(Config, files);
  const settings = parseImageSettings(Settings, files);
  const { patch_size, merge_size, temporal_patch_size } = settings;
  const { vision_config: tower = {} } = config;
  const pairs = { patch_size, temporal_patch_size, spatial_merge_size: merge_size };
  for (const [field, value] of Object.entries(pairs)) {
    const name = `config.json: vision_config.${field}`;
    checkSame(name, tower[field as keyof typeof pairs], value, "preprocessor_config.json");
  }
  const filter = resizeFilter(settings.resample);
  // What the chat templates write between <|vision_start|> and <|vision_end|>.
  const image = namedToken(files, "image_token", "<|image_pad|>");
  const factor = patch_size * merge_size;
  const limits = pixelLimits(settings);
  const cap = maxImageTokens * factor ** 2;
  const min = Math.min(limits.min, cap);
  const max = Math.min(limits.max, cap);
  const low = Math.min(max, Math.max(min, LOW_DETAIL_TOKENS * factor ** 2));
  return {
    placeholder: image,
    imageTokenId: imageTokenId(config, 151_655),
    patchSize: patch_size,
    merge: merge_size,
    frames: temporal_patch_size,
    ...normalization(settings),
    takesPixelLimits: true,

    layout(width, height, detail, _images, pixels = {}): ImageLayout {
      checkImage(width, height);
      checkProportions(width, height);
      const limits = {
        min: Math.min(pixels.min ?? min, cap),
        max: Math.min(pixels.max ?? (detail === "low" ? low : max), cap),
      };
      const resized = settings.do_resize
        ? smartResize({ width, height }, factor, limits)
        : wholeTokens({ width, height }, factor);
      const tokenCount = (resized.height / factor) * (resized.width / factor);
      return {
        size: [width, height],
        resizes: settings.do_resize ? [{ from: 0, ...resized, filter }] : [],
        tiles: [{ from: Number(settings.do_resize), x: 0, y: 0, ...resized }],
        rows: 0,
        cols: 0,
        grid: [resized.height / patch_size, resized.width / patch_size],
        tokenCount,
        prompt: image.repeat(tokenCount),
      };
    },
  };
}

/** Throws RangeError for an image that is not resized and does not consist of whole tokens. */
function wholeTokens(size: Size, factor: number): Size {
  const { width, height } = size;
  if (width % factor === 0 && height % factor === 0) return size;
  throw new RangeError(
    `layout: the image is ${width} x ${height} pixels, expected multiples of ${factor}, ` +
      `because preprocessor_config.json sets do_resize to false`,
  );
}

/** `min_pixels` and `max_pixels` are older than `size`, and win where a file has both. */
function pixelLimits({ size, min_pixels, max_pixels }: Settings): Limits {
  const { shortest_edge, longest_edge } = size ?? DEFAULT_SIZE;
  const min = min_pixels ?? shortest_edge;
  const max = max_pixels ?? longest_edge;
  if (min && max) return { min, max };
  const missing = min ? "longest_edge" : "shortest_edge";
  throw new Error(`preprocessor_config.json: size.${missing}: expected a number of pixels`);
}
