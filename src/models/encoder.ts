import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { Activation } from "../ops/activation.ts";
import { addGated } from "../ops/add-gated.ts";
import { addScaled } from "../ops/add-scaled.ts";
import { attention } from "../ops/attention.ts";
import { layerNorm } from "../ops/layer-norm.ts";
import { linear } from "../ops/linear.ts";
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
    x = g.capture(`vision.${i}`, encoderLayer(g, w.under(`layers.${i}`), c, rows, x));
  }
  return x;
}

/** One layer, with LayerScale (arXiv 2103.17239) or gates where the checkpoint has either. */
export function encoderLayer(
  g: Graph,
  w: Weights,
  c: EncoderConfig,
  rows: Tensor,
  x: Tensor,
): Tensor {
  const eps = c.layer_norm_eps;
  const H = c.num_attention_heads;
  const C = c.hidden_size / H;

  const a = w.under("self_attn");
  const h = layerNorm(g, x, w.vector("layer_norm1.weight"), w.vector("layer_norm1.bias"), eps);
  const names = ["q_proj", "k_proj", "v_proj"];
  const bias = a.has("q_proj.bias") ? a.vector(names.map((name) => `${name}.bias`)) : undefined;
  const matrix = a.matrix(names.map((name) => `${name}.weight`));
  const qkv = linear(g, h, matrix, bias && { bias }); // [T, 3 * H * C]
  const mixed = attention(g, rows, qkv, { kind: "flat", qkv }, { H, K: H, C, scale: C ** -0.5 });
  x = addLinear(g, a.under("out_proj"), x, mixed, branch(w, "lambda_1", "gate_attn"));

  const m = layerNorm(g, x, w.vector("layer_norm2.weight"), w.vector("layer_norm2.bias"), eps);
  const f = linear(g, m, w.matrix("mlp.fc1.weight"), {
    bias: w.vector("mlp.fc1.bias"),
    activation: c.hidden_act,
  }); // [T, F]
  return addLinear(g, w.under("mlp.fc2"), x, f, branch(w, "lambda_2", "gate_ffn"));
}

/** What a branch is multiplied by before it is added. */
interface Branch {
  /** `[D]` by channel */
  readonly scale: Tensor | undefined;
  /** `[1]` its tanh */
  readonly gate: Tensor | undefined;
}

function branch(w: Weights, scale: string, gate: string): Branch {
  return {
    scale: w.has(scale) ? w.vector(scale) : undefined,
    gate: w.has(gate) ? w.vector(gate) : undefined,
  };
}

/** x + linear(h), scaled or gated */
function addLinear(g: Graph, w: Weights, x: Tensor, h: Tensor, { scale, gate }: Branch): Tensor {
  const bias = w.has("bias") ? { bias: w.vector("bias") } : {};
  const matrix = w.matrix("weight");
  if (scale) return addScaled(g, x, linear(g, h, matrix, bias), scale);
  if (gate) return addGated(g, x, linear(g, h, matrix, bias), gate);
  return linear(g, h, matrix, { ...bias, residual: x });
}
