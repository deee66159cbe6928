import * as z from "zod/mini";
import { type ClipTable, clip, clipPass, dropClass } from "./clip.ts";
import { Channels, StoredSize, activation, supportsOnly, parseConfig } from "./config.ts";
import { layersUpTo } from "./encoder.ts";
import { llama } from "./llama.ts";
import { llavaProcessor } from "./llava-processor.ts";
import { llavaProjector } from "./llava-projector.ts";
import type { Family } from "./model.ts";
import { llavaNames } from "./stored-names.ts";

/** The fields of config.json, with the defaults of transformers' LLaVA and CLIP classes. */
const Config = z.object({
  projector_hidden_act: activation("gelu"),
  multimodal_projector_bias: z._default(z.boolean(), true),
  vision_feature_layer: z._default(z.int().check(z.negative()), -2),
  vision_feature_select_strategy: supportsOnly("default"),
  vision_config: z.object({
    model_type: supportsOnly("clip_vision_model"),
    hidden_size: z._default(z.int(), 768),
    num_hidden_layers: z._default(z.int(), 12),
    num_attention_heads: z._default(z.int(), 12),
    layer_norm_eps: z._default(z.number(), 1e-5),
    hidden_act: activation("quick_gelu"),
    intermediate_size: StoredSize,
    num_channels: Channels,
  }),
});

/** LLaVA-1.5 (arXiv 2310.03744): CLIP without its last layer, an MLP, Llama. */
export const llava: Family<ClipTable> = (files) => {
  const config = parseConfig(Config, files);
  const { vision_config, vision_feature_layer } = config;
  const num_hidden_layers = layersUpTo(vision_config, vision_feature_layer);
  const tower = { ...vision_config, num_hidden_layers };
  return {
    ...llama(files, "model.language_model"),
    processor: llavaProcessor(files),
    storedNames: llavaNames,
    patchesPerRow: 1,
    imageStates: 1,

    visionPass: ({ grid: [height, width] }, tiles) => clipPass(tiles, height * width),

    vision(g, w, patches, tables) {
      const x = clip(g, w.under("model.vision_tower"), tower, patches, tables);
      const states = g.capture("connector_in", dropClass(g, x, tables)); // [P, vision D]
      return [llavaProjector(g, w, config, states)];
    },
  };
};
