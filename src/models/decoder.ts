import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { attention } from "../ops/attention.ts";
import type { LayerCache } from "../ops/cache.ts";
import { glu } from "../ops/glu.ts";
import { linear } from "../ops/linear.ts";
import { rmsNorm } from "../ops/rms-norm.ts";
import { type Rope, ropeAppend } from "../ops/rope-append.ts";
import type { TextShape, Weights } from "./model.ts";

/** The fields of a `text_config` that a Llama-like decoder layer reads. */
export interface DecoderLayerConfig extends TextShape {
  readonly num_attention_heads: number;
  readonly rms_norm_eps: number;
}

/** What a decoder layer works on besides the hidden states. */
export interface DecoderInputs {
  /** `[T, ROW_WORDS]` */
  readonly rows: Tensor;
  readonly rope: Rope;
}

/**
 * One decoder layer of Llama (arXiv 2302.13971), with what its relatives add: biases of q, k and v
 * (Qwen2), and norms of each head's q and k (Qwen3), where the checkpoint has them.
 *
 * @param x `[T, D]`
 * @returns `[T, D]`
 */
export function decoderLayer(
  g: Graph,
  w: Weights,
  c: DecoderLayerConfig,
  { rows, rope }: DecoderInputs,
  cache: LayerCache,
  x: Tensor,
): Tensor {
  const eps = c.rms_norm_eps;
  const heads = { H: c.num_attention_heads, K: c.num_key_value_heads, C: c.head_dim };
  const a = w.under("self_attn");
  const h = rmsNorm(g, x, w.vector("input_layernorm.weight"), eps);
  const names = ["q_proj", "k_proj", "v_proj"];
  const bias = a.has("q_proj.bias") ? a.vector(names.map((name) => `${name}.bias`)) : undefined;
  const matrix = a.matrix(names.map((name) => `${name}.weight`));
  const qkv = linear(g, h, matrix, bias && { bias }); // [T, (H + 2K) * C]
  const norms = a.has("q_norm.weight")
    ? { qNorm: a.vector("q_norm.weight"), kNorm: a.vector("k_norm.weight"), eps }
    : {};
  const q = ropeAppend(g, rows, qkv, rope, cache, heads, norms); // [T, H * C]
  const scale = c.head_dim ** -0.5;
  const mixed = attention(g, rows, q, { kind: "paged", cache }, { ...heads, scale });
  x = linear(g, mixed, a.matrix("o_proj.weight"), { residual: x });
  return feedForward(g, w, c, x);
}

/**
 * The second half of a decoder layer.
 *
 * @param x `[T, D]`
 * @returns x + mlp(norm(x)), `[T, D]`
 */
export function feedForward(
  g: Graph,
  w: Weights,
  { rms_norm_eps }: Pick<DecoderLayerConfig, "rms_norm_eps">,
  x: Tensor,
): Tensor {
  const m = rmsNorm(g, x, w.vector("post_attention_layernorm.weight"), rms_norm_eps);
  const gateUp = linear(g, m, w.matrix(["mlp.gate_proj.weight", "mlp.up_proj.weight"])); // [T, 2F]
  return linear(g, glu(g, gateUp, "silu"), w.matrix("mlp.down_proj.weight"), { residual: x });
}
