import * as z from "zod/mini";
import { StoredSize, activation, checkSizes, parseConfig } from "./config.ts";
import { hiddenWeights } from "./hidden-weights.ts";
import { mlp, norm } from "./layers.ts";
import { lfm2VlProcessor } from "./lfm2-vl-processor.ts";
import { lfm2 } from "./lfm2.ts";
import type { Family } from "./model.ts";
import { mergeBlocks } from "./patch-blocks.ts";
import { type Siglip2Table, siglip2, siglip2Pass } from "./siglip2.ts";
import { SiglipFields, postLayernorm } from "./siglip.ts";
import { HEADLESS, storedNames } from "./stored-names.ts";

/** The fields of config.json, with the defaults of transformers' LFM2-VL and SigLIP 2 classes. */
const Config = z.object({
  downsample_factor: z._default(z.int(), 2),
  projector_bias: z._default(z.boolean(), true),
  projector_use_layernorm: z._default(z.boolean(), true),
  projector_hidden_act: activation("gelu"),
  projector_hidden_size: StoredSize,
  vision_config: z.object({ ...SiglipFields, num_patches: z._default(z.int(), 256) }),
});

/** Of the projector's norm; no config has it. */
const PROJECTOR_EPS = 1e-5;

/**
 * LFM2-VL (arXiv 2511.23404): SigLIP 2, patches merged 2x2, a norm where the checkpoint has one, an
 * MLP, and LFM2.
 */
export const lfm2Vl: Family<Siglip2Table> = (files, options) => {
  const config = parseConfig(Config, files);
  const { vision_config: tower, downsample_factor: merge } = config;
  const side = Math.floor(Math.sqrt(tower.num_patches));
  return {
    ...lfm2(files, "model.language_model"),
    processor: lfm2VlProcessor(files, options),
    storedNames: lfm2VlNames,
    patchesPerRow: merge ** 2,
    imageStates: 1,

    visionPass: (layout, tiles) => siglip2Pass(layout, tiles, merge, side),

    vision(g, w, patches, tables) {
      const v = w.under("model.vision_tower.vision_model");
      const positions = v.vector("embeddings.position_embedding.weight");
      checkSizes("vision_config", tower, { num_patches: positions.shape[0] });
      const x = siglip2(g, v, tower, patches, tables); // [P, vision D]
      const states = g.capture("connector_in", postLayernorm(g, v, tower, x));
      const blocks = mergeBlocks(states, merge); // [P / merge², merge² * vision D]
      const all = w.part("connector").under("model.multi_modal_projector");
      const projector = config.projector_bias ? all : hiddenWeights(all, /^linear_\d\.bias$/);
      const isNormed = config.projector_use_layernorm && projector.has("layer_norm.weight");
      const normed = isNormed
        ? norm(g, projector.under("layer_norm"), blocks, PROJECTOR_EPS)
        : blocks;
      const projector_hidden_size = projector.matrix("linear_1.weight", blocks.shape[1]).shape[0];
      checkSizes("", config, { projector_hidden_size });
      return [mlp(g, projector, ["linear_1", "linear_2"], normed, config.projector_hidden_act)];
    },
  };
};

function lfm2VlNames(name: string): readonly string[] {
  return storedNames(name, [["vision_tower.vision_model.", "vision_tower."], HEADLESS]);
}
