import * as z from "zod/mini";
import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { layerNorm } from "../ops/layer-norm.ts";
import { parseConfig } from "./config.ts";
import { lfm2VlProcessor } from "./lfm2-vl-processor.ts";
import { lfm2 } from "./lfm2.ts";
import { mlp } from "./mlp.ts";
import type { Family, Weights } from "./model.ts";
import { mergeBlocks } from "./patch-blocks.ts";
import { siglip2, siglip2Pass } from "./siglip2.ts";

/** The fields of config.json, with the defaults of transformers' LFM2-VL and SigLIP 2 classes. */
const Config = z.object({
  downsample_factor: z._default(z.int(), 2),
  projector_bias: z._default(z.literal(true), true),
  projector_hidden_act: z._default(z.literal("gelu"), "gelu"),
  vision_feature_layer: z._default(z.literal(-1), -1),
  vision_config: z.object({
    hidden_size: z._default(z.int(), 768),
    num_hidden_layers: z._default(z.int(), 12),
    num_attention_heads: z._default(z.int(), 12),
    layer_norm_eps: z._default(z.number(), 1e-6),
    hidden_act: z._default(z.literal("gelu_pytorch_tanh"), "gelu_pytorch_tanh"),
    num_patches: z._default(z.int(), 256),
  }),
});

/** Of the projector's norm, which no config names. */
const PROJECTOR_EPS = 1e-5;

/**
 * LFM2-VL (arXiv 2511.23404): SigLIP 2, patches merged 2x2, a norm where the checkpoint has it and
 * two layers, LFM2.
 */
export const lfm2Vl: Family = (files, options) => {
  const { vision_config, downsample_factor: merge } = parseConfig(Config, files);
  const tower = { ...vision_config, hidden_act: "gelu_tanh" as const };
  const side = Math.floor(Math.sqrt(tower.num_patches));
  return {
    ...lfm2(files, "model.language_model"),
    processor: lfm2VlProcessor(files, options),
    rename: lfm2VlRename,
    patchesPerRow: merge ** 2,
    imageStates: 1,

    visionPass: (layout, tiles) => siglip2Pass(layout, tiles, merge, side),

    vision(g, w, patches, tables) {
      const v = w.under("model.vision_tower.vision_model");
      const x = siglip2(g, v, tower, patches, tables); // [P, vision D]
      const norm = v.under("post_layernorm");
      const eps = tower.layer_norm_eps;
      const states = layerNorm(g, x, norm.vector("weight"), norm.vector("bias"), eps);
      const blocks = mergeBlocks(g.capture("connector_in", states), merge); // [P / 4, 4 * vision D]
      const projector = w.under("model.multi_modal_projector");
      return [mlp(g, projector, projectorNorm(g, projector, blocks), ["linear_1", "linear_2"])];
    },
  };
};

function projectorNorm(g: Graph, w: Weights, x: Tensor): Tensor {
  if (!w.has("layer_norm.weight")) return x;
  const norm = w.under("layer_norm");
  return layerNorm(g, x, norm.vector("weight"), norm.vector("bias"), PROJECTOR_EPS);
}

/** The tower's names without the part of SigLIP 2 that it is. */
function lfm2VlRename(name: string): string {
  return name.replace("vision_tower.vision_model.", "vision_tower.");
}
