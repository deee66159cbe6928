import * as z from "zod/mini";
import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { Activation } from "../ops/activation.ts";
import { attention } from "../ops/attention.ts";
import type { LayerCache } from "../ops/cache.ts";
import { embed } from "../ops/embed.ts";
import { ropeAppend } from "../ops/rope-append.ts";
import { softcap } from "../ops/softcap.ts";
import {
  StoredSize,
  activation,
  checkHeads,
  checkProjections,
  checkSizes,
  checkWidth,
  supportsOnly,
  parseConfig,
} from "./config.ts";
import { hiddenWeights } from "./hidden-weights.ts";
import { dense, gatedMlp, mlpSizes, rms, stackedDense } from "./layers.ts";
import { lmHead, tokenEmbeddings } from "./lm-head.ts";
import type { CheckpointFiles, TextModel, TextShape, Weights } from "./model.ts";
import { ropeFields, ropeSettings } from "./rope-settings.ts";
import { type RopeSettings, rope } from "./rope.ts";

/** The fields of config.json, with the defaults of transformers' Gemma class. */
const Config = z.object({
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
    hidden_act: activation("gelu_pytorch_tanh"),
    intermediate_size: StoredSize,
    attention_bias: z._default(z.boolean(), false),
    use_bidirectional_attention: supportsOnly(true),
    // Not of this class: PaliGemma applies them to whatever decoder it has.
    sliding_window: supportsOnly(null),
    final_logit_softcapping: z.nullish(z.number().check(z.positive())),
    ...ropeFields(10_000),
  }),
});

/** Gemma (arXiv 2403.08295), by `text_config`; `prefix` names the decoder among the weights. */
export function gemma(files: CheckpointFiles, prefix: string): TextModel {
  const { text_config: text } = parseConfig(Config, files);
  const layer: GemmaLayer = { range: "all", rope: ropeSettings(text, text.head_dim) };
  const config = {
    ...text,
    sliding_window: undefined,
    // Early configs were released with the wrong name of the approximation by tanh.
    hidden_activation: text.hidden_act === "gelu" ? ("gelu_tanh" as const) : text.hidden_act,
    scale: text.head_dim ** -0.5,
    layers: new Array<GemmaLayer>(text.num_hidden_layers).fill(layer),
  };
  return gemmaDecoder(config, prefix);
}

/** Settings in which the layers of one decoder differ. */
export interface GemmaLayer {
  /** The keys that tokens attend to: all earlier ones, or the last `sliding_window`. */
  readonly range: "all" | "window";
  readonly rope: RopeSettings;
}

export interface GemmaConfig extends TextShape {
  readonly num_attention_heads: number;
  readonly rms_norm_eps: number;
  /** Of the MLP. */
  readonly hidden_activation: Activation;
  /** Channels within the MLP. Default: what the weights have. */
  readonly intermediate_size?: number | null | undefined;
  /** Whether the biases of q, k, v and o are used, if the checkpoint has them. */
  readonly attention_bias: boolean;
  /** Attention scores are multiplied by this. */
  readonly scale: number;
  /** Bounds of the attention scores and of the logits; default: none. */
  readonly attn_logit_softcapping?: number | null | undefined;
  readonly final_logit_softcapping?: number | null | undefined;
  /** `[num_hidden_layers]` */
  readonly layers: readonly GemmaLayer[];
}

/** Gemma's checkpoints store the weights of their RMS norms minus 1. */
const OFFSET = 1;

const gemmaNorm = (w: Weights, name: string, c: GemmaConfig) =>
  rms(w, name, c.rms_norm_eps, OFFSET);

/**
 * The decoder of every Gemma. Token embeddings are scaled by the square root of D, image embeddings
 * are not.
 *
 * @param prefix name of the decoder among the weights
 */
export function gemmaDecoder(c: GemmaConfig, prefix: string): TextModel {
  checkWidth("text_config.hidden_size", c.hidden_size);
  checkHeads("text_config.head_dim", c.head_dim, 8);
  return {
    text: c,
    forward(g, w, rows, [images], cache) {
      const decoder = w.under(prefix);
      const scale = Math.sqrt(c.hidden_size);
      const table = tokenEmbeddings(decoder, c);
      let x = g.capture("embeds", embed(g, rows, table, images, { scale }));
      cache.forEach((layerCache, i) => {
        const own = c.layers[i] as GemmaLayer;
        x = gemmaLayer(g, decoder.under(`layers.${i}`), c, own, rows, layerCache, x);
        g.capture(`hidden.${i}`, x);
      });
      return x;
    },
    head(g, w, hidden) {
      const decoder = w.under(prefix);
      const logits = lmHead(g, w, decoder, hidden, gemmaNorm(decoder, "norm", c));
      const cap = c.final_logit_softcapping;
      return cap ? softcap(g, logits, cap) : logits;
    },
  };
}

/**
 * One layer of Gemma. Two additions of Gemma 2 (arXiv 2408.00118) and Gemma 3 (arXiv 2503.19786) are
 * made where the checkpoint has their tensors: norms of what attention and MLP add to the residual,
 * and a norm of each head's q and k.
 *
 * @param rows token rows `[T, ROW_WORDS]`
 * @param x `[T, D]`
 * @returns `[T, D]`
 */
function gemmaLayer(
  g: Graph,
  w: Weights,
  c: GemmaConfig,
  { range, rope: settings }: GemmaLayer,
  rows: Tensor,
  cache: LayerCache,
  x: Tensor,
): Tensor {
  const eps = c.rms_norm_eps;
  const heads = { H: c.num_attention_heads, K: c.num_key_value_heads, C: c.head_dim };
  const normsOutputs = w.has("pre_feedforward_layernorm.weight");
  const norm = (name: string) => gemmaNorm(w, name, c);
  const outputNorm = (name: string) => (normsOutputs ? norm(name) : undefined);

  const own = w.under("self_attn");
  if (c.attention_bias && !own.has("q_proj.bias")) {
    throw new Error(
      "config.json: text_config.attention_bias is true, but the weights have no biases",
    );
  }
  const a = c.attention_bias ? own : hiddenWeights(own, /\.bias$/);
  const names = ["q_proj", "k_proj", "v_proj"];
  const qkv = stackedDense(g, a, names, x, { norm: norm("input_layernorm") }); // [T, (H + 2K) * C]
  const output = a.matrix("o_proj.weight", heads.H * heads.C).shape[1];
  checkProjections(heads, qkv.shape[1] as number, output);
  const headNorms = a.has("q_norm.weight")
    ? ({
        qNorm: a.vector("q_norm.weight"),
        kNorm: a.vector("k_norm.weight"),
        eps,
        offset: OFFSET,
      } as const)
    : {};
  const q = ropeAppend(g, rows, qkv, rope(g, settings), cache, heads, headNorms); // [T, H * C]
  const scale = c.scale * settings.scoreFactor;
  const scores = { scale, softcap: c.attn_logit_softcapping ?? undefined, range };
  const mixed = attention(g, rows, q, { kind: "paged", cache }, { ...heads, ...scores });
  x = dense(g, a.under("o_proj"), mixed, {
    residual: x,
    outputNorm: outputNorm("post_attention_layernorm"),
  });
  const y = gatedMlp(g, w.under("mlp"), x, c.hidden_activation, {
    norm: norm(normsOutputs ? "pre_feedforward_layernorm" : "post_attention_layernorm"),
    residual: x,
    outputNorm: outputNorm("post_feedforward_layernorm"),
  });
  checkSizes("text_config", c, mlpSizes(w.under("mlp")));
  return y;
}
