import * as z from "zod/mini";
import { StoredSize, checkSizes, parseConfig } from "./config.ts";
import { gemma2Text } from "./gemma2-text.ts";
import { gemma } from "./gemma.ts";
import { dense } from "./layers.ts";
import type { Family } from "./model.ts";
import { paligemmaProcessor } from "./paligemma-processor.ts";
import { SiglipFields, postLayernorm, siglip, siglipPass } from "./siglip.ts";
import { llavaNames } from "./stored-names.ts";

/** The fields of config.json, with the defaults of transformers' PaliGemma and SigLIP classes. */
const Config = z.object({
  projection_dim: StoredSize,
  text_config: z.object({ model_type: z._default(z.enum(["gemma", "gemma2"]), "gemma") }),
  vision_config: z.object({
    model_type: z._default(z.literal("siglip_vision_model"), "siglip_vision_model"),
    ...SiglipFields,
  }),
});

/**
 * PaliGemma (arXiv 2407.07726) and PaliGemma 2 (arXiv 2412.03555): SigLIP, one linear layer, and
 * Gemma or Gemma 2, in which the whole prompt attends to itself. The reference counts positions from
 * 1, we count from 0; RoPE depends on differences of positions only.
 */
export const paligemma: Family<"rows"> = (files) => {
  const { text_config, vision_config: tower, ...config } = parseConfig(Config, files);
  const decoder = text_config.model_type === "gemma2" ? gemma2Text : gemma;
  return {
    ...decoder(files, "model.language_model"),
    processor: paligemmaProcessor(files),
    storedNames: llavaNames,
    bidirectional: "prompt",
    patchesPerRow: 1,
    imageStates: 1,

    visionPass: ({ grid: [height, width] }, tiles) => siglipPass(tiles, height * width),

    vision(g, w, patches, tables) {
      const v = w.under("model.vision_tower");
      const x = siglip(g, v, tower, patches, tables); // [P, vision D]
      const states = g.capture("vision", postLayernorm(g, v, tower, x));
      const projector = w.part("connector").under("model.multi_modal_projector.linear");
      const projected = dense(g, projector, states);
      checkSizes("", config, { projection_dim: projected.shape[1] });
      return [projected];
    },
  };
};
