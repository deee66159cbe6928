import * as z from "zod/mini";
import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { Weight } from "../gpu/weight.ts";
import { add } from "../ops/add.ts";
import { attention } from "../ops/attention.ts";
import type { LayerCache } from "../ops/cache.ts";
import { embed } from "../ops/embed.ts";
import { glu } from "../ops/glu.ts";
import { linear } from "../ops/linear.ts";
import { rmsNorm } from "../ops/rms-norm.ts";
import { ropeAppend } from "../ops/rope-append.ts";
import { softcap } from "../ops/softcap.ts";
import { parseConfig, ropeTheta } from "./config.ts";
import type { Language } from "./llama.ts";
import type { CheckpointFiles, TextShape, Weights } from "./model.ts";
import { inverseFrequencies, rope } from "./rope.ts";

/** The fields of config.json, with the defaults of transformers' Gemma class. */
const Config = z.object({
  tie_word_embeddings: z._default(z.boolean(), true),
  text_config: z.object({
    model_type: z._default(z.literal("gemma"), "gemma"),
    vocab_size: z._default(z.int(), 256_000),
    hidden_size: z._default(z.int(), 3072),
    num_hidden_layers: z._default(z.int(), 28),
    num_attention_heads: z._default(z.int(), 16),
    num_key_value_heads: z._default(z.int(), 16),
    head_dim: z._default(z.int(), 256),
    rms_norm_eps: z._default(z.number(), 1e-6),
    max_position_embeddings: z._default(z.int(), 8192),
    // Both mean the approximation by tanh: early configs were released with the wrong name.
    hidden_act: z._default(z.enum(["gelu_pytorch_tanh", "gelu"]), "gelu_pytorch_tanh"),
    attention_bias: z._default(z.literal(false), false),
  }),
});

/** Gemma (arXiv 2403.08295), by `text_config`; `prefix` names the decoder among the weights. */
export function gemma(files: CheckpointFiles, prefix: string): Language {
  const { text_config: text, tie_word_embeddings } = parseConfig(Config, files);
  const frequencies = inverseFrequencies(ropeTheta(files, "text_config"), text.head_dim);
  const config = {
    ...text,
    tie_word_embeddings,
    scale: text.head_dim ** -0.5,
    layers: new Array<GemmaLayer>(text.num_hidden_layers).fill({ range: "all", frequencies }),
  };
  return gemmaDecoder(config, prefix);
}

/** What one layer has of its own. */
export interface GemmaLayer {
  /** Which keys its rows attend to: "window" are the last `sliding_window`. */
  readonly range: "all" | "window";
  /** `[C / 2]` radians per position of each channel pair */
  readonly frequencies: readonly number[];
}

export interface GemmaConfig extends TextShape {
  readonly num_attention_heads: number;
  readonly rms_norm_eps: number;
  readonly tie_word_embeddings: boolean;
  /** Of the attention's scores. */
  readonly scale: number;
  /** What the attention's scores and the logits are bounded by; default: nothing. */
  readonly attn_logit_softcapping?: number | null | undefined;
  readonly final_logit_softcapping?: number | null | undefined;
  /** `[num_hidden_layers]` */
  readonly layers: readonly GemmaLayer[];
}

/** The checkpoints store their norms' weights minus 1. */
const OFFSET = { offset: 1 } as const;

/**
 * The decoder of every Gemma. Embeddings of tokens are scaled, those of images come as they are.
 *
 * @param prefix name of the decoder among the weights
 */
export function gemmaDecoder(c: GemmaConfig, prefix: string): Language {
  return {
    text: c,
    forward(g, w, rows, [images], cache) {
      const text = w.under(prefix);
      const table = text.matrix("embed_tokens.weight");
      const scale = Math.sqrt(c.hidden_size);
      let x = g.capture("embeds", embed(g, rows, table, images as Tensor, { scale }));
      cache.forEach((layerCache, i) => {
        const own = c.layers[i] as GemmaLayer;
        x = layer(g, text.under(`layers.${i}`), c, own, rows, layerCache, x);
        g.capture(`hidden.${i}`, x);
      });
      return x;
    },
    head(g, w, hidden) {
      const text = w.under(prefix);
      const x = rmsNorm(g, hidden, text.vector("norm.weight"), c.rms_norm_eps, OFFSET);
      const tied = c.tie_word_embeddings || !w.has("lm_head.weight");
      const table = tied ? text.matrix("embed_tokens.weight") : w.matrix("lm_head.weight");
      const logits = linear(g, x, table);
      const cap = c.final_logit_softcapping;
      return cap ? softcap(g, logits, cap) : logits;
    },
  };
}

/**
 * One layer of Gemma, with what Gemma 2 (arXiv 2408.00118) and Gemma 3 (arXiv 2503.19786) add where the
 * checkpoint has it: norms of what attention and MLP give before it is added, and of each head's q and k.
 *
 * @param rows `[T, ROW_WORDS]`
 * @param x `[T, D]`
 * @returns `[T, D]`
 */
function layer(
  g: Graph,
  w: Weights,
  c: GemmaConfig,
  { range, frequencies }: GemmaLayer,
  rows: Tensor,
  cache: LayerCache,
  x: Tensor,
): Tensor {
  const eps = c.rms_norm_eps;
  const heads = { H: c.num_attention_heads, K: c.num_key_value_heads, C: c.head_dim };
  const norm = (x: Tensor, name: string): Tensor =>
    rmsNorm(g, x, w.vector(`${name}.weight`), eps, OFFSET);
  const normsSums = w.has("pre_feedforward_layernorm.weight");
  /** x + what a block gives, `h W^T` */
  const added = (h: Tensor, matrix: Weight, name: string): Tensor => {
    if (!normsSums) return linear(g, h, matrix, { residual: x });
    return add(g, x, norm(linear(g, h, matrix), name));
  };

  const a = w.under("self_attn");
  const h = norm(x, "input_layernorm");
  const qkv = linear(g, h, a.matrix(["q_proj.weight", "k_proj.weight", "v_proj.weight"]));
  const headNorms = a.has("q_norm.weight")
    ? { qNorm: a.vector("q_norm.weight"), kNorm: a.vector("k_norm.weight"), eps, ...OFFSET }
    : {};
  const q = ropeAppend(g, rows, qkv, rope(g, frequencies), cache, heads, headNorms); // [T, H * C]
  const scores = { scale: c.scale, softcap: c.attn_logit_softcapping ?? undefined, range };
  const mixed = attention(g, rows, q, { kind: "paged", cache }, { ...heads, ...scores });
  x = added(mixed, a.matrix("o_proj.weight"), "post_attention_layernorm");

  const m = norm(x, normsSums ? "pre_feedforward_layernorm" : "post_attention_layernorm");
  const gateUp = linear(g, m, w.matrix(["mlp.gate_proj.weight", "mlp.up_proj.weight"])); // [T, 2F]
  const mlp = glu(g, gateUp, "gelu_tanh");
  return added(mlp, w.matrix("mlp.down_proj.weight"), "post_feedforward_layernorm");
}
