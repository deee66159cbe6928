import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { attention } from "../ops/attention.ts";
import type { LayerCache } from "../ops/cache.ts";
import { embed } from "../ops/embed.ts";
import { linear } from "../ops/linear.ts";
import { rmsNorm } from "../ops/rms-norm.ts";
import { ropeAppend } from "../ops/rope-append.ts";
import { swiglu } from "../ops/swiglu.ts";
import type { TextShape, Weights } from "./model.ts";

/** The fields of a Llama `text_config` that its decoder reads. */
export interface LlamaConfig extends TextShape {
  readonly num_attention_heads: number;
  readonly rms_norm_eps: number;
  readonly rope_theta: number;
}

/**
 * Embedding and decoder layers of Llama (arXiv 2302.13971).
 *
 * @param rows `[T, ROW_WORDS]`
 * @param images image embeddings `[N, D]`
 * @returns hidden states `[T, D]`, before the final norm
 */
export function llama(
  g: Graph,
  w: Weights,
  c: LlamaConfig,
  rows: Tensor,
  images: Tensor,
  cache: readonly LayerCache[],
): Tensor {
  let x = g.tap("embeds", embed(g, rows, w.matrix("embed_tokens.weight"), images));
  cache.forEach((layerCache, i) => {
    x = g.tap(`hidden.${i}`, layer(g, w.under(`layers.${i}`), c, rows, layerCache, x));
  });
  return x;
}

function layer(
  g: Graph,
  w: Weights,
  c: LlamaConfig,
  rows: Tensor,
  cache: LayerCache,
  x: Tensor,
): Tensor {
  const heads = { H: c.num_attention_heads, K: c.num_key_value_heads, C: c.head_dim };
  const a = w.under("self_attn");
  const h = rmsNorm(g, x, w.vector("input_layernorm.weight"), c.rms_norm_eps);
  const qkv = linear(g, h, a.matrix(["q_proj.weight", "k_proj.weight", "v_proj.weight"]));
  const q = ropeAppend(g, rows, qkv, ...rope1d(g, c), cache, heads); // [T, H * C]
  const mixed = attention(
    g,
    rows,
    q,
    { kind: "paged", cache },
    { ...heads, scale: c.head_dim ** -0.5 },
  );
  x = linear(g, mixed, a.matrix("o_proj.weight"), { residual: x });

  const m = rmsNorm(g, x, w.vector("post_attention_layernorm.weight"), c.rms_norm_eps);
  const gateUp = linear(g, m, w.matrix(["mlp.gate_proj.weight", "mlp.up_proj.weight"])); // [T, 2F]
  return linear(g, swiglu(g, gateUp), w.matrix("mlp.down_proj.weight"), { residual: x });
}

/** 1-D RoPE: inverse frequencies `[C / 2]`; every channel pair turns by a row's first position. */
function rope1d(g: Graph, { rope_theta, head_dim }: LlamaConfig): [Tensor, Tensor] {
  const pairs = head_dim / 2;
  const frequencies = g.gpu.constant(`rope ${rope_theta} ${head_dim}`, [pairs], "f32", () =>
    Float32Array.from({ length: pairs }, (_, i) => 1 / rope_theta ** ((2 * i) / head_dim)),
  );
  const axes = g.gpu.constant(`rope axes ${pairs}`, [pairs], "u32", () => new Uint32Array(pairs));
  return [frequencies, axes];
}
