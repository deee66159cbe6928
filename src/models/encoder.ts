import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { Activation } from "../ops/activation.ts";
import { addGated } from "../ops/add-gated.ts";
import { addScaled } from "../ops/add-scaled.ts";
import { attention } from "../ops/attention.ts";
import { checkHeads, checkSizes, checkWidth } from "./config.ts";
import { dense, norm, stackedDense } from "./layers.ts";
import type { Weights } from "./model.ts";

/** The fields of a `vision_config` that its encoder layers read. */
export interface EncoderConfig {
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  /** The field's name, for errors. Default "num_attention_heads". */
  readonly heads?: string;
  readonly layer_norm_eps: number;
  readonly hidden_act: Activation;
  /** Channels within the MLP. Default: what the weights have. */
  readonly intermediate_size?: number | null | undefined;
  /** The norms before attention and MLP. Default: layer norms. */
  readonly norm?: typeof norm;
  /**
   * A norm of queries and keys before they are split into heads: `[T, 3 * D]` to `[T, 3 * D]`, with the
   * weights of the attention. Default: none.
   */
  readonly qkvNorm?: ((g: Graph, w: Weights, qkv: Tensor) => Tensor) | undefined;
}

/** The layers of a tower whose output is read: `vision_feature_layer` counts from the last, -1. */
export function layersUpTo(
  { num_hidden_layers }: Pick<EncoderConfig, "num_hidden_layers">,
  vision_feature_layer: number,
): number {
  return num_hidden_layers + 1 + vision_feature_layer;
}

/**
 * The layers of a vision transformer (arXiv 2010.11929): each patch attends to a range of patches.
 *
 * @param rows patch rows `[T, ROW_WORDS]`, which hold the ranges
 * @param x `[T, D]`
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
  checkSizes("vision_config", c, { hidden_size: x.shape[1] });
  const { layer_norm_eps: eps, norm: layerNorm = norm } = c;
  const H = c.num_attention_heads;
  const C = c.hidden_size / H;
  checkHeads(`vision_config.hidden_size / ${c.heads ?? "num_attention_heads"}`, C, 4);

  const a = w.under("self_attn");
  const h = layerNorm(g, w.under("layer_norm1"), x, eps);
  const projected = stackedDense(g, a, ["q_proj", "k_proj", "v_proj"], h); // [T, 3 * H * C]
  const qkv = c.qkvNorm?.(g, a, projected) ?? projected;
  const mixed = attention(g, rows, qkv, { kind: "flat", qkv }, { H, K: H, C, scale: C ** -0.5 });
  x = addDense(g, a.under("out_proj"), x, mixed, multiplier(w, "lambda_1", "gate_attn"));

  const m = layerNorm(g, w.under("layer_norm2"), x, eps);
  const f = dense(g, w.under("mlp.fc1"), m, { activation: c.hidden_act }); // [T, F]
  checkSizes("vision_config", c, { intermediate_size: f.shape[1] });
  checkWidth("vision_config.intermediate_size", f.shape[1] as number);
  return addDense(g, w.under("mlp.fc2"), x, f, multiplier(w, "lambda_2", "gate_ffn"));
}

/** What a layer's output is multiplied by before it is added to the residual. */
interface Multiplier {
  /** LayerScale `[D]` */
  readonly scale: Tensor | undefined;
  /** `[1]`, of which the tanh is taken */
  readonly gate: Tensor | undefined;
}

function multiplier(w: Weights, scale: string, gate: string): Multiplier {
  return {
    scale: w.has(scale) ? w.vector(scale) : undefined,
    gate: w.has(gate) ? w.vector(gate) : undefined,
  };
}

/** x + dense(h), where the second is multiplied */
function addDense(g: Graph, w: Weights, x: Tensor, h: Tensor, by: Multiplier): Tensor {
  if (by.scale) return addScaled(g, x, dense(g, w, h), by.scale);
  if (by.gate) return addGated(g, x, dense(g, w, h), by.gate);
  return dense(g, w, h, { residual: x });
}
