import * as z from "zod/mini";
import { type ClipTable, clip, clipPass, dropClass } from "./clip.ts";
import { hiddenAct, parseConfig } from "./config.ts";
import { layersUpTo } from "./encoder.ts";
import { mlp } from "./layers.ts";
import { llama } from "./llama.ts";
import { llavaProcessor } from "./llava-processor.ts";
import type { Family } from "./model.ts";
import { llavaNames } from "./stored-names.ts";

/** The fields of config.json, with the defaults of transformers' LLaVA and CLIP classes. */
const Config = z.object({
  projector_hidden_act: z._default(z.literal("gelu"), "gelu"),
  vision_feature_layer: z._default(z.int().check(z.negative()), -2),
  vision_feature_select_strategy: z._default(z.literal("default"), "default"),
  vision_config: z.object({
    model_type: z._default(z.literal("clip_vision_model"), "clip_vision_model"),
    hidden_size: z._default(z.int(), 768),
    num_hidden_layers: z._default(z.int(), 12),
    num_attention_heads: z._default(z.int(), 12),
    layer_norm_eps: z._default(z.number(), 1e-5),
    hidden_act: hiddenAct("quick_gelu"),
  }),
});

/** LLaVA-1.5 (arXiv 2310.03744): CLIP without its last layer, an MLP, Llama. */
export const llava: Family<ClipTable> = (files) => {
  const { vision_config, vision_feature_layer } = parseConfig(Config, files);
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
      return [
        mlp(
          g,
          w.part("connector").under("model.multi_modal_projector"),
          ["linear_1", "linear_2"],
          states,
        ),
      ];
    },
  };
};
