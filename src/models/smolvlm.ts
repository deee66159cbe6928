import * as z from "zod/mini";
import type { Tensor } from "../gpu/tensor.ts";
import { layerNorm } from "../ops/layer-norm.ts";
import { linear } from "../ops/linear.ts";
import { spaceToDepth } from "../ops/space-to-depth.ts";
import { parseConfig } from "./config.ts";
import { llama } from "./llama.ts";
import type { Family } from "./model.ts";
import { siglip } from "./siglip.ts";
import { smolvlmProcessor } from "./smolvlm-processor.ts";
import { tileRows } from "./tile-rows.ts";

/** The fields of config.json, with the defaults of transformers' SmolVLM and Idefics3 classes. */
const Config = z.object({
  scale_factor: z._default(z.int(), 2),
  vision_config: z.object({
    hidden_size: z._default(z.int(), 1152),
    image_size: z._default(z.int(), 224),
    patch_size: z._default(z.int(), 32),
    num_hidden_layers: z._default(z.int(), 12),
    num_attention_heads: z._default(z.int(), 16),
    layer_norm_eps: z._default(z.number(), 1e-6),
    hidden_act: z._default(z.literal("gelu_pytorch_tanh"), "gelu_pytorch_tanh"),
  }),
});

/**
 * SmolVLM and SmolVLM2 (arXiv 2504.05299), and Idefics3 (arXiv 2408.12637): SigLIP, pixel
 * shuffle and one linear layer, Llama.
 */
export const smolvlm: Family = (files, options) => {
  const { scale_factor, vision_config } = parseConfig(Config, files);
  const tower = { ...vision_config, hidden_act: "gelu_tanh" as const };
  const side = Math.floor(tower.image_size / tower.patch_size); // patches a tile is wide
  return {
    ...llama(files, "model.text_model"),
    processor: smolvlmProcessor(files, options),
    patchesPerRow: scale_factor ** 2,
    imageStates: 1,

    visionPass: (_, tiles) => ({
      P: tiles * side ** 2,
      tables: { rows: tileRows(tiles, side ** 2, tiles * side ** 2) },
    }),

    vision(g, w, patches, { rows }) {
      const v = w.under("model.vision_model");
      const x = siglip(g, v, tower, patches, rows as Tensor); // [P, vision D]
      const norm = v.under("post_layernorm");
      const states = g.capture(
        "vision",
        layerNorm(g, x, norm.vector("weight"), norm.vector("bias"), tower.layer_norm_eps),
      );
      const shuffled = spaceToDepth(g, states, side, scale_factor);
      return [linear(g, shuffled, w.matrix("model.connector.modality_projection.proj.weight"))];
    },
  };
};
