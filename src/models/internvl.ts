import * as z from "zod/mini";
import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { qkvNorm } from "../ops/qkv-norm.ts";
import { rmsNorm } from "../ops/rms-norm.ts";
import { spaceToDepth } from "../ops/space-to-depth.ts";
import { type ClipTable, clip, clipPass, dropClass } from "./clip.ts";
import { Channels, StoredSize, activation, supportsOnly, parseConfig } from "./config.ts";
import { layersUpTo } from "./encoder.ts";
import { hiddenWeights } from "./hidden-weights.ts";
import { DownsampleRatio, internvlProcessor } from "./internvl-processor.ts";
import { mlp, norm } from "./layers.ts";
import { llama } from "./llama.ts";
import type { Family, Weights } from "./model.ts";
import { renamedWeights } from "./renamed-weights.ts";
import { llavaNames } from "./stored-names.ts";

/** The fields of config.json, with the defaults of transformers' InternVL class. */
const Config = z.object({
  downsample_ratio: DownsampleRatio,
  projector_hidden_act: activation("gelu"),
  vision_feature_layer: z._default(z.int().check(z.negative()), -1),
  vision_feature_select_strategy: supportsOnly("default"),
  vision_config: z.object({
    hidden_size: z._default(z.int(), 1024),
    num_hidden_layers: z._default(z.int(), 24),
    num_attention_heads: z._default(z.int(), 16),
    layer_norm_eps: z._default(z.number(), 1e-6),
    hidden_act: activation("gelu"),
    intermediate_size: StoredSize,
    num_channels: Channels,
    attention_bias: z._default(z.boolean(), false),
    use_absolute_position_embeddings: z._default(z.boolean(), true),
    norm_type: z._default(z.literal(["layer_norm", "rms_norm"]), "layer_norm"),
    use_qk_norm: z._default(z.boolean(), false),
    // It decides whether the last norm is the pooler's, and only a tower without pooler has one here.
    use_mean_pooling: supportsOnly(true),
  }),
});

/** Of the projector's norm; no config has it. */
const PROJECTOR_EPS = 1e-5;

/** Of the norms of queries and keys; no config has it. */
const QK_EPS = 1e-6;

/**
 * InternVL3 (arXiv 2504.10479), InternVL3.5 (arXiv 2508.18265), and InternVL 2.5 in the same layout:
 * InternViT, which is CLIP with LayerScale, pixel shuffle, a norm and an MLP, Qwen2 or Qwen3. InternViT-6B
 * has RMS norms, and norms of queries and keys.
 */
export const internvl: Family<ClipTable> = (files, options) => {
  const config = parseConfig(Config, files);
  const { vision_config, vision_feature_layer, downsample_ratio } = config;
  const num_hidden_layers = layersUpTo(vision_config, vision_feature_layer);
  const { norm_type, use_qk_norm } = vision_config;
  const tower = {
    ...vision_config,
    num_hidden_layers,
    norm: norm_type === "rms_norm" ? rms : norm,
    qkvNorm: use_qk_norm ? queryKeyNorm : undefined,
  };
  const block = Math.round(1 / downsample_ratio);
  const processor = internvlProcessor(files, options);
  const { side } = processor;
  return {
    ...llama(files, "model.language_model", "qwen2"),
    processor,
    storedNames: llavaNames,
    patchesPerRow: block ** 2,
    imageStates: 1,

    visionPass: (_, tiles) => clipPass(tiles, side ** 2),

    vision(g, w, patches, tables) {
      const all = w.under("model.vision_tower");
      const { attention_bias, use_absolute_position_embeddings } = vision_config;
      const seen = attention_bias ? all : hiddenWeights(all, /\.attention\.[qkv]_proj\.bias$/);
      const v = renamedWeights(
        use_absolute_position_embeddings ? seen : hiddenWeights(seen, /\.position_embeddings$/),
        internVitName,
      );
      const x = g.capture("vision", clip(g, v, tower, patches, tables));
      const shuffled = spaceToDepth(g, dropClass(g, x, tables), side, block);
      const states = g.capture("connector_in", shuffled); // [P / block², block² * vision D]
      const projector = w.part("connector").under("model.multi_modal_projector");
      const normed = norm(g, projector.under("layer_norm"), states, PROJECTOR_EPS);
      return [mlp(g, projector, ["linear_1", "linear_2"], normed, config.projector_hidden_act)];
    },
  };
};

function rms(g: Graph, w: Weights, x: Tensor, eps: number): Tensor {
  return rmsNorm(g, x, w.vector("weight"), eps);
}

function queryKeyNorm(g: Graph, w: Weights, qkv: Tensor): Tensor {
  if (!w.has("q_norm.weight")) {
    throw new Error(
      "config.json: vision_config.use_qk_norm is true, but the weights have no q_norm",
    );
  }
  return qkvNorm(g, qkv, w.vector("q_norm.weight"), w.vector("k_norm.weight"), QK_EPS);
}

/** InternViT's names of a CLIP tower's tensors. */
function internVitName(name: string): string {
  return name
    .replace("embeddings.class_embedding", "embeddings.cls_token")
    .replace("embeddings.patch_embedding", "embeddings.patch_embeddings.projection")
    .replace("embeddings.position_embedding.weight", "embeddings.position_embeddings")
    .replace("encoder.layers.", "encoder.layer.")
    .replace("self_attn.out_proj", "attention.projection_layer")
    .replace("self_attn.", "attention.")
    .replace("layer_norm1", "layernorm_before")
    .replace("layer_norm2", "layernorm_after");
}
