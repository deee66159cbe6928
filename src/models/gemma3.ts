import * as z from "zod/mini";
import { averagePool } from "../ops/average-pool.ts";
import { linear } from "../ops/linear.ts";
import { rmsNorm } from "../ops/rms-norm.ts";
import { transposed } from "../weights/transposed.ts";
import { parseConfig, supportsOnly } from "./config.ts";
import { gemma3Processor } from "./gemma3-processor.ts";
import { gemma3Text } from "./gemma3-text.ts";
import { parseImageSettings } from "./image-settings.ts";
import type { Family } from "./model.ts";
import { SiglipFields, postLayernorm, siglip, siglipPass } from "./siglip.ts";
import { llavaNames } from "./stored-names.ts";

/** The fields of config.json, with the defaults of transformers' Gemma 3 and SigLIP classes. */
const Config = z.object({
  mm_tokens_per_image: z._default(z.int(), 256),
  vision_config: z.object({
    ...SiglipFields,
    image_size: z._default(z.int(), 224),
    patch_size: z._default(z.int(), 16),
  }),
});

/**
 * Gemma 3 (arXiv 2503.19786): SigLIP, whose patches are averaged in blocks, a norm and one matrix,
 * and a decoder in which most layers attend to a sliding window. The tokens of an image attend to one
 * another.
 */
export const gemma3: Family<"rows"> = (files, options) => {
  const { vision_config: tower, mm_tokens_per_image } = parseConfig(Config, files);
  // In the reference the processor's own defaults take the place of these settings.
  parseImageSettings(z.object({ do_pan_and_scan: supportsOnly(false) }), files);
  const side = Math.floor(tower.image_size / tower.patch_size); // patches along a tile's edge
  const block = side / Math.sqrt(mm_tokens_per_image); // patches along the edge of an image row
  if (!Number.isInteger(block)) {
    throw new Error(
      `config.json: vision_config.image_size and patch_size give ${side} x ${side} patches, which ` +
        `can't become ${mm_tokens_per_image}, mm_tokens_per_image`,
    );
  }
  return {
    ...gemma3Text(files, "model.language_model"),
    processor: gemma3Processor(files, options),
    storedNames: llavaNames,
    patchesPerRow: block ** 2,
    bidirectional: "images",
    imageStates: 1,

    visionPass: (_, tiles) => siglipPass(tiles, side ** 2),

    vision(g, w, patches, tables) {
      const v = w.under("model.vision_tower");
      const x = siglip(g, v, tower, patches, tables); // [P, vision D]
      const states = g.capture("vision", postLayernorm(g, v, tower, x));
      const pooled = averagePool(g, states, side, block); // [P / block², vision D]
      const projector = w.part("connector").under("model.multi_modal_projector");
      const weight = projector.vector("mm_soft_emb_norm.weight");
      const normed = rmsNorm(g, pooled, weight, tower.layer_norm_eps, { offset: 1 });
      return [linear(g, normed, transposed(projector.vector("mm_input_projection_weight")))];
    },
  };
};
