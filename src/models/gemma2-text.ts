import * as z from "zod/mini";
import { parseConfig, ropeTheta } from "./config.ts";
import { LayerType, layerTypes } from "./gemma-layers.ts";
import { gemmaDecoder } from "./gemma.ts";
import type { Language } from "./llama.ts";
import type { CheckpointFiles } from "./model.ts";
import { inverseFrequencies } from "./rope.ts";

const Softcap = z.nullable(z.number().check(z.positive()));

/** The fields of config.json, with the defaults of transformers' Gemma 2 class. */
const Config = z.object({
  tie_word_embeddings: z._default(z.boolean(), true),
  text_config: z.object({
    vocab_size: z._default(z.int(), 256_000),
    hidden_size: z._default(z.int(), 2304),
    num_hidden_layers: z._default(z.int(), 26),
    num_attention_heads: z._default(z.int(), 8),
    num_key_value_heads: z._default(z.int(), 4),
    head_dim: z._default(z.int(), 256),
    hidden_activation: z._default(z.literal("gelu_pytorch_tanh"), "gelu_pytorch_tanh"),
    max_position_embeddings: z._default(z.int(), 8192),
    rms_norm_eps: z._default(z.number(), 1e-6),
    attention_bias: z._default(z.literal(false), false),
    query_pre_attn_scalar: z._default(z.number(), 256),
    sliding_window: z._default(z.int().check(z.positive()), 4096),
    layer_types: z.optional(z.nullable(z.array(LayerType))),
    attn_logit_softcapping: z._default(Softcap, 50),
    final_logit_softcapping: z._default(Softcap, 30),
  }),
});

/**
 * Gemma 2 (arXiv 2408.00118), by `text_config`: every other layer attends to a window, and scores and
 * logits are bounded.
 *
 * @param prefix name of the decoder among the weights
 */
export function gemma2Text(files: CheckpointFiles, prefix: string): Language {
  const { text_config: text, tie_word_embeddings } = parseConfig(Config, files);
  const frequencies = inverseFrequencies(ropeTheta(files, "text_config"), text.head_dim);
  const config = {
    ...text,
    tie_word_embeddings,
    scale: text.query_pre_attn_scalar ** -0.5,
    layers: layerTypes(text, 2).map((type) => ({
      range: type === "full_attention" ? ("all" as const) : ("window" as const),
      frequencies,
    })),
  };
  return gemmaDecoder(config, prefix);
}
