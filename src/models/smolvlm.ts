import * as z from "zod/mini";
import { spaceToDepth } from "../ops/space-to-depth.ts";
import { parseConfig } from "./config.ts";
import { dense } from "./layers.ts";
import { llama } from "./llama.ts";
import type { Family } from "./model.ts";
import { SiglipFields, postLayernorm, siglip, siglipPass } from "./siglip.ts";
import { smolvlmProcessor } from "./smolvlm-processor.ts";
import { HEADLESS, LANGUAGE_HEAD, type Rewrite, storedNames } from "./stored-names.ts";

/** The fields of config.json, with the defaults of transformers' SmolVLM and Idefics3 classes. */
const Config = z.object({
  scale_factor: z._default(z.int(), 2),
  vision_config: z.object({
    ...SiglipFields,
    hidden_size: z._default(z.int(), 1152),
    num_attention_heads: z._default(z.int(), 16),
    image_size: z._default(z.int(), 224),
    patch_size: z._default(z.int(), 32),
  }),
});

const REWRITES: readonly Rewrite[] = [
  HEADLESS,
  // MLX's names.
  [/^text_model\./, "language_model."],
  LANGUAGE_HEAD,
];

/**
 * SmolVLM and SmolVLM2 (arXiv 2504.05299), and Idefics3 (arXiv 2408.12637): SigLIP, pixel
 * shuffle and one linear layer, Llama.
 */
export const smolvlm: Family<"rows"> = (files, options) => {
  const { scale_factor, vision_config: tower } = parseConfig(Config, files);
  const side = Math.floor(tower.image_size / tower.patch_size); // patches along a tile's edge
  return {
    ...llama(files, "model.text_model"),
    processor: smolvlmProcessor(files, options),
    storedNames: (name) => storedNames(name, REWRITES),
    patchesPerRow: scale_factor ** 2,
    imageStates: 1,

    visionPass: (_, tiles) => siglipPass(tiles, side ** 2),

    vision(g, w, patches, tables) {
      const v = w.under("model.vision_model");
      const x = siglip(g, v, tower, patches, tables); // [P, vision D]
      const states = g.capture("vision", postLayernorm(g, v, tower, x));
      const shuffled = spaceToDepth(g, states, side, scale_factor);
      return [
        dense(g, w.part("connector").under("model.connector.modality_projection.proj"), shuffled),
      ];
    },
  };
};
