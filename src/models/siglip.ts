import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { attention } from "../ops/attention.ts";
import { layerNorm } from "../ops/layer-norm.ts";
import { type Activation, linear } from "../ops/linear.ts";
import type { Weights } from "./model.ts";

/** The fields of `vision_config` that a SigLIP tower reads. */
export interface SiglipConfig {
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly layer_norm_eps: number;
  readonly hidden_act: Activation;
}

/**
 * SigLIP vision transformer (arXiv 2303.15343): every patch attends to all patches of its tile.
 *
 * @param patches `[tiles * P, channels * patchSize²]`
 * @param rows `[tiles * P, ROW_WORDS]`
 * @returns hidden states before the post-layernorm, `[tiles * P, D]`
 */
export function siglip(
  g: Graph,
  w: Weights,
  c: SiglipConfig,
  patches: Tensor,
  rows: Tensor,
): Tensor {
  const e = w.under("embeddings");
  let x = linear(g, patches, e.matrix("patch_embedding.weight"), {
    bias: e.vector("patch_embedding.bias"),
    residual: e.vector("position_embedding.weight"), // [P, D], the same for every tile
  });
  for (let i = 0; i < c.num_hidden_layers; i++) {
    x = g.tap(`vision.${i}`, layer(g, w.under(`encoder.layers.${i}`), c, rows, x));
  }
  return x;
}

function layer(g: Graph, w: Weights, c: SiglipConfig, rows: Tensor, x: Tensor): Tensor {
  const eps = c.layer_norm_eps;
  const H = c.num_attention_heads;
  const C = c.hidden_size / H;

  const a = w.under("self_attn");
  const h = layerNorm(g, x, w.vector("layer_norm1.weight"), w.vector("layer_norm1.bias"), eps);
  const qkv = linear(g, h, a.matrix(["q_proj.weight", "k_proj.weight", "v_proj.weight"]), {
    bias: a.vector(["q_proj.bias", "k_proj.bias", "v_proj.bias"]),
  }); // [tiles * P, 3 * H * C]
  const mixed = attention(g, rows, qkv, { kind: "flat", qkv }, { H, K: H, C, scale: C ** -0.5 });
  x = linear(g, mixed, a.matrix("out_proj.weight"), {
    bias: a.vector("out_proj.bias"),
    residual: x,
  });

  const m = layerNorm(g, x, w.vector("layer_norm2.weight"), w.vector("layer_norm2.bias"), eps);
  const f = linear(g, m, w.matrix("mlp.fc1.weight"), {
    bias: w.vector("mlp.fc1.bias"),
    activation: c.hidden_act,
  }); // [tiles * P, F]
  return linear(g, f, w.matrix("mlp.fc2.weight"), { bias: w.vector("mlp.fc2.bias"), residual: x });
}
