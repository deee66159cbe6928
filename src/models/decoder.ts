import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { Activation } from "../ops/activation.ts";
import { attention } from "../ops/attention.ts";
import type { LayerCache } from "../ops/cache.ts";
import { type Rope, ropeAppend } from "../ops/rope-append.ts";
import { checkProjections, checkSizes } from "./config.ts";
import { dense, gatedMlp, mlpSizes, rms, stackedDense } from "./layers.ts";
import type { TextShape, Weights } from "./model.ts";
import type { RopeSettings } from "./rope.ts";

/** The fields of a `text_config` that a Llama-like decoder layer reads. */
export interface DecoderLayerConfig extends TextShape {
  readonly num_attention_heads: number;
  readonly rms_norm_eps: number;
  readonly rope: Pick<RopeSettings, "scoreFactor">;
  /** Of the MLP. Default: SiLU. */
  readonly hidden_act?: Activation;
  /** Channels within the MLP. Default: what the weights have. */
  readonly intermediate_size?: number | null | undefined;
}

/** What all layers of a decoder read. */
export interface DecoderInputs {
  /** Token rows `[T, ROW_WORDS]`. */
  readonly rows: Tensor;
  readonly rope: Rope;
  /** The keys that tokens attend to: all earlier ones (the default), or the last `sliding_window`. */
  readonly range?: "all" | "window";
}

/**
 * One decoder layer of Llama (arXiv 2302.13971). Two additions are made where the checkpoint has
 * their tensors: biases of q, k and v (Qwen2), and a norm of each head's q and k (Qwen3).
 *
 * @param x `[T, D]`
 * @returns `[T, D]`
 */
export function decoderLayer(
  g: Graph,
  w: Weights,
  c: DecoderLayerConfig,
  { rows, rope, range = "all" }: DecoderInputs,
  cache: LayerCache,
  x: Tensor,
): Tensor {
  const eps = c.rms_norm_eps;
  const heads = { H: c.num_attention_heads, K: c.num_key_value_heads, C: c.head_dim };
  const a = w.under("self_attn");
  const norm = rms(w, "input_layernorm", eps);
  const qkv = stackedDense(g, a, ["q_proj", "k_proj", "v_proj"], x, { norm }); // [T, (H + 2K) * C]
  const output = a.matrix("o_proj.weight", heads.H * heads.C).shape[1];
  checkProjections(heads, qkv.shape[1] as number, output);
  const norms = a.has("q_norm.weight")
    ? { qNorm: a.vector("q_norm.weight"), kNorm: a.vector("k_norm.weight"), eps }
    : {};
  const q = ropeAppend(g, rows, qkv, rope, cache, heads, norms); // [T, H * C]
  const scale = c.head_dim ** -0.5 * c.rope.scoreFactor;
  const mixed = attention(g, rows, q, { kind: "paged", cache }, { ...heads, scale, range });
  x = dense(g, a.under("o_proj"), mixed, { residual: x });
  return feedForward(g, w, c, x);
}

/**
 * The second half of a decoder layer: x + mlp(norm(x)).
 *
 * @param x `[T, D]`
 * @returns `[T, D]`
 */
export function feedForward(
  g: Graph,
  w: Weights,
  { rms_norm_eps, hidden_act = "silu", intermediate_size }: DecoderLayerConfig,
  x: Tensor,
): Tensor {
  const norm = rms(w, "post_attention_layernorm", rms_norm_eps);
  const y = gatedMlp(g, w.under("mlp"), x, hidden_act, { norm, residual: x });
  checkSizes("text_config", { intermediate_size }, mlpSizes(w.under("mlp")));
  return y;
}
