import * as z from "zod/mini";
import { Positive, supportsOnly, parse } from "./config.ts";
import type { CheckpointFiles, ImageProcessor, ResizeFilter, Size } from "./model.ts";
import { tokenizerSettings } from "./tokenizer-settings.ts";

/**
 * Reads the image processor's settings by a family's schema. They are `image_processor` in
 * processor_config.json, which transformers 5 writes, or else preprocessor_config.json.
 *
 * @param more settings of other files, which these replace
 * @throws Error naming the file and the first field that is wrong, or saying that the checkpoint has
 *   neither of the two
 */
export function parseImageSettings<T extends z.ZodMiniType>(
  schema: T,
  files: CheckpointFiles,
  more?: object,
): z.output<T> {
  const joined = files["processor_config.json"] as { image_processor?: object | null } | undefined;
  const nested = joined?.image_processor;
  const settings = nested ?? files["preprocessor_config.json"];
  if (!settings) {
    throw new Error(
      "preprocessor_config.json: the checkpoint has no settings of its image processor, neither in " +
        "this file nor in processor_config.json: image_processor",
    );
  }
  const name = nested ? "processor_config.json: image_processor" : "preprocessor_config.json";
  return parse(schema, { ...more, ...settings }, name);
}

/** The values of `resample`, which are Pillow's numbers of its filters. */
const RESAMPLE: Readonly<Record<number, ResizeFilter>> = {
  0: "nearest",
  1: "lanczos",
  2: "bilinear",
  3: "bicubic",
};

/** Throws Error when no kernel computes the filter that `resample` names. */
export function resizeFilter(resample: number): ResizeFilter {
  const filter = RESAMPLE[resample];
  if (!filter) {
    const known = Object.keys(RESAMPLE).join(", ");
    throw new Error(`preprocessor_config.json: resample ${resample}, supported: ${known}`);
  }
  return filter;
}

/** Default mean and std per channel of CLIP's image processor. */
export const CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073];
export const CLIP_STD = [0.26862954, 0.26130258, 0.27577711];

/** Default mean, and std, per channel of SigLIP's image processor. */
export const HALF = [0.5, 0.5, 0.5];

/** The fields that `normalization` reads, with the defaults of a transformers class. */
export function normalizationFields(mean: readonly number[], std: readonly number[]) {
  return {
    do_center_crop: supportsOnly(false),
    do_rescale: z._default(z.boolean(), true),
    rescale_factor: z._default(z.number(), 1 / 255),
    do_normalize: z._default(z.boolean(), true),
    image_mean: z._default(z.array(z.number()), [...mean]),
    image_std: z._default(z.array(z.number()), [...std]),
  };
}

/** Schema of a size in pixels: one number for a square, `[height, width]`, or both by name. */
export const PixelSize = z.pipe(
  z.union([
    Positive,
    z.tuple([Positive, Positive]),
    z.strictObject({ height: Positive, width: Positive }),
  ]),
  z.transform((size): Size => {
    if (typeof size === "number") return { height: size, width: size };
    if ("height" in size) return size;
    const [height, width] = size;
    return { height, width };
  }),
);

/**
 * The fields of image processors that resize an image to one size whatever its proportions, with the
 * defaults of transformers' SigLIP class.
 *
 * @param resample the default filter
 */
export function fixedSizeFields(resample: number) {
  return {
    // Without a resize an image does not fit the tower.
    do_resize: supportsOnly(true),
    size: z._default(PixelSize, { height: 224, width: 224 }),
    resample: z._default(z.int(), resample),
    ...normalizationFields(HALF, HALF),
  };
}

/** The fields of a SigLIP tower's `vision_config` that give its patches, with the class's defaults. */
export const SquareTower = z.object({
  image_size: z._default(Positive, 224),
  patch_size: z._default(Positive, 16),
});

/**
 * The patches of a tower that has learned positions for one square.
 *
 * @param size the size that images are resized to
 * @throws Error when that is not the tower's square
 */
export function squareGrid(
  { width, height }: Size,
  { image_size, patch_size }: z.output<typeof SquareTower>,
): readonly [height: number, width: number] {
  if (width !== image_size || height !== image_size) {
    throw new Error(
      `preprocessor_config.json: size is ${width} x ${height}, ` +
        `image_size in config.json's vision_config is ${image_size}`,
    );
  }
  const side = Math.floor(image_size / patch_size);
  return [side, side];
}

interface ScaleSettings {
  readonly do_rescale: boolean;
  readonly rescale_factor: number;
  readonly do_normalize: boolean;
  readonly image_mean: readonly number[];
  readonly image_std: readonly number[];
}

/** The numbers of rescaling and normalisation. One that is switched off changes nothing. */
export function normalization(
  settings: ScaleSettings,
): Pick<ImageProcessor, "mean" | "std" | "rescale"> {
  const { do_rescale, rescale_factor, do_normalize, image_mean, image_std } = settings;
  return {
    rescale: do_rescale ? rescale_factor : 1,
    mean: do_normalize ? image_mean : image_mean.map(() => 0),
    std: do_normalize ? image_std : image_std.map(() => 1),
  };
}

/** The two names in config.json for the id of the token that stands for one image row. */
export const imageTokenFields = {
  image_token_id: z.optional(z.int()),
  image_token_index: z.optional(z.int()),
};

/**
 * @param otherwise the default of the family's transformers class
 * @returns the id of the token that stands for one image row
 */
export function imageTokenId(
  { image_token_id, image_token_index }: { image_token_id?: number; image_token_index?: number },
  otherwise: number,
): number {
  return image_token_id ?? image_token_index ?? otherwise;
}

/**
 * Looks up the text of a token by the processor's name for it, such as "image_token".
 *
 * @param otherwise the default of the family's processor
 */
export function namedToken(files: CheckpointFiles, name: string, otherwise: string): string {
  const processor = files["processor_config.json"] as Readonly<Record<string, unknown>> | undefined;
  for (const settings of [tokenizerSettings(files), processor]) {
    const value = settings?.[name];
    const content = typeof value === "object" ? (value as { content?: unknown })?.content : value;
    if (typeof content === "string") return content;
  }
  return otherwise;
}

/** Throws RangeError for an image without pixels. */
export function checkImage(width: number, height: number): void {
  if (width >= 1 && height >= 1) return;
  throw new RangeError(`layout: the image is ${width} x ${height} pixels, expected 1 x 1 or more`);
}

/** The longer edge of an image may be this many times as long as the shorter one. */
const MAX_RATIO = 200;

/** Throws RangeError for an image that is too long and narrow. */
export function checkProportions(width: number, height: number): void {
  if (Math.max(width, height) / Math.min(width, height) <= MAX_RATIO) return;
  throw new RangeError(`layout: one edge is more than ${MAX_RATIO} times as long as the other`);
}
