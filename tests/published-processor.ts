import settings from "../e2e/goldens/preprocess/settings.json";
import type { ImageProcessor } from "../src/models/model.ts";
import { FAMILIES } from "./families.ts";

interface Settings {
  readonly size?: { readonly height?: number };
  readonly max_image_size?: { readonly longest_edge: number };
  readonly patch_size?: number;
  readonly encoder_patch_size?: number;
}

/**
 * The processor of published image settings, with a tower that they go with.
 *
 * @param family their name in `e2e/goldens/preprocess/settings.json`
 */
export function publishedProcessor(family: string): ImageProcessor {
  const { preprocessor_config, image_seq_len } = settings[family as keyof typeof settings] as {
    preprocessor_config: Settings;
    image_seq_len?: number;
  };
  const { size, max_image_size, patch_size, encoder_patch_size } = preprocessor_config;
  const edge = size?.height ?? max_image_size?.longest_edge ?? 560;
  const patch = patch_size ?? encoder_patch_size ?? (edge === 512 ? 16 : 14);
  const row = FAMILIES.find(({ published }) => family in published);
  if (!row) throw new Error(`publishedProcessor: no family has the settings ${family}`);
  return row.processor({
    "config.json": {
      vision_config: { image_size: edge, patch_size: patch, max_num_tiles: 4 },
      ...(image_seq_len && {
        scale_factor: Math.floor(edge / patch) / Math.sqrt(image_seq_len),
      }),
      ...row.published[family]?.config,
    },
    "preprocessor_config.json": preprocessor_config,
    "processor_config.json": image_seq_len ? { image_seq_len } : {},
  });
}
