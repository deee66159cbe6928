import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { addScaled } from "../ops/add-scaled.ts";
import { attention } from "../ops/attention.ts";
import { layerNorm } from "../ops/layer-norm.ts";
import { type Activation, linear } from "../ops/linear.ts";
import type { Weights } from "./model.ts";

/** The fields of a `vision_config` that its encoder layers read. */
export interface EncoderConfig {
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly layer_norm_eps: number;
  readonly hidden_act: Activation;
}

/**
 * The layers of a vision transformer (arXiv 2010.11929): each row attends to a range of rows.
 *
 * @param x `[T, D]`
 * @param rows `[T, ROW_WORDS]`
 * @returns `[T, D]`
 */
export function encoder(g: Graph, w: Weights, c: EncoderConfig, rows: Tensor, x: Tensor): Tensor {
  for (let i = 0; i < c.num_hidden_layers; i++) {
    x = g.tap(`vision.${i}`, encoderLayer(g, w.under(`layers.${i}`), c, rows, x));
  }
  return x;
}

/** One layer, with LayerScale (arXiv 2103.17239) where the checkpoint has it. */
function encoderLayer(g: Graph, w: Weights, c: EncoderConfig, rows: Tensor, x: Tensor): Tensor {
  const eps = c.layer_norm_eps;
  const H = c.num_attention_heads;
  const C = c.hidden_size / H;

  const a = w.under("self_attn");
  const h = layerNorm(g, x, w.vector("layer_norm1.weight"), w.vector("layer_norm1.bias"), eps);
  const qkv = linear(g, h, a.matrix(["q_proj.weight", "k_proj.weight", "v_proj.weight"]), {
    bias: a.vector(["q_proj.bias", "k_proj.bias", "v_proj.bias"]),
  }); // [T, 3 * H * C]
  const mixed = attention(g, rows, qkv, { kind: "flat", qkv }, { H, K: H, C, scale: C ** -0.5 });
  x = addLinear(g, a.under("out_proj"), x, mixed, layerScale(w, "lambda_1"));

  const m = layerNorm(g, x, w.vector("layer_norm2.weight"), w.vector("layer_norm2.bias"), eps);
  const f = linear(g, m, w.matrix("mlp.fc1.weight"), {
    bias: w.vector("mlp.fc1.bias"),
    activation: c.hidden_act,
  }); // [T, F]
  return addLinear(g, w.under("mlp.fc2"), x, f, layerScale(w, "lambda_2"));
}

function layerScale(w: Weights, name: string): Tensor | undefined {
  return w.has(name) ? w.vector(name) : undefined;
}

/** x + scale * linear(h) */
function addLinear(g: Graph, w: Weights, x: Tensor, h: Tensor, scale: Tensor | undefined): Tensor {
  const bias = w.vector("bias");
  if (!scale) return linear(g, h, w.matrix("weight"), { bias, residual: x });
  return addScaled(g, x, linear(g, h, w.matrix("weight"), { bias }), scale);
}
