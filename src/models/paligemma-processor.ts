import * as z from "zod/mini";
import { checkSame, supportsOnly, parseConfig } from "./config.ts";
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
import type { CheckpointFiles, ImageLayout, ImageProcessor } from "./model.ts";

/** The fields of config.json, with the defaults of transformers' PaliGemma and SigLIP classes. */
const Config = z.object({
  ...imageTokenFields,
  vision_config: SquareTower,
});

/** The image processor's fields, with the defaults of transformers' SigLIP class. */
const Settings = z.object({
  ...fixedSizeFields(3),
  pad_size: supportsOnly(null),
  image_seq_length: z.nullish(z.int()),
});

/** Published checkpoints have no template. This one writes all images first, then the text. */
const TEMPLATE =
  "{% for message in messages %}{% if message['content'] is not string %}" +
  "{% for part in message['content'] %}{% if part['type'] == 'image' %}{{ image_token }}" +
  "{% endif %}{% endfor %}{% endif %}{% endfor %}" +
  "{% for message in messages %}{% if message['content'] is string %}{{ message['content'] }}" +
  "{% else %}{% for part in message['content'] %}{% if part['type'] == 'text' %}" +
  "{{ part['text'] }}{% endif %}{% endfor %}{% endif %}" +
  "{% if not loop.last %}{{ '\\n' }}{% endif %}{% endfor %}";

/**
 * The image processing of PaliGemma. An image is resized to a square whatever its proportions, and the
 * number of its tokens does not depend on the detail. A prompt is the images, the bos token, the text
 * and a newline.
 *
 * @throws Error naming the file and field that is wrong
 */
export function paligemmaProcessor(files: CheckpointFiles): ImageProcessor {
  const config = parseConfig(Config, files);
  const settings = parseImageSettings(Settings, files);
  const filter = resizeFilter(settings.resample);
  const grid = squareGrid(settings.size, config.vision_config);
  const { width, height } = settings.size;
  const tokenCount = grid[0] * grid[1];
  const field = "preprocessor_config.json: image_seq_length";
  checkSame(
    field,
    settings.image_seq_length,
    tokenCount,
    "vision_config.image_size and patch_size",
  );
  const image = namedToken(files, "image_token", "<image>");
  const bos = namedToken(files, "bos_token", "<bos>");
  return {
    placeholder: image,
    imageTokenId: imageTokenId(config, 256_000),
    patchSize: config.vision_config.patch_size,
    merge: 1,
    frames: 1,
    ...normalization(settings),
    chatTemplate: TEMPLATE.replace("image_token", JSON.stringify(image)),
    needsImage: true,

    frame(pieces, { isOpen }) {
      const text = pieces.at(-1) ?? "";
      return [...pieces.slice(0, -1), `${bos}${text}${isOpen ? "" : "\n"}`];
    },

    layout(imageWidth, imageHeight): ImageLayout {
      checkImage(imageWidth, imageHeight);
      return {
        size: [imageWidth, imageHeight],
        resizes: [{ from: 0, width, height, filter }],
        tiles: [{ from: 1, x: 0, y: 0, width, height }],
        rows: 0,
        cols: 0,
        grid,
        tokenCount,
        prompt: image.repeat(tokenCount),
      };
    },
  };
}
