import * as z from "zod/mini";
import { Positive, supportsOnly, parseConfig } from "./config.ts";
import { type GemmaLayer, gemmaDecoder } from "./gemma.ts";
import { type LayerType, LayeredGemmaFields, periodicLayers } from "./layer-types.ts";
import type { CheckpointFiles, TextModel } from "./model.ts";
import { ropeFields, ropeSettings } from "./rope-settings.ts";

/** RoPE of the two types of layers. */
const full = ropeFields(1_000_000);
const sliding = ropeFields(10_000);

/** The fields of config.json, with the defaults of transformers' Gemma 3 text class. */
const Config = z.object({
  text_config: z.object({
    ...LayeredGemmaFields,
    vocab_size: z._default(z.int(), 262_208),
    max_position_embeddings: z._default(z.int(), 131_072),
    sliding_window_pattern: z._default(Positive, 6),
    // The reference's class has fields for soft-capping and does not apply them.
    use_bidirectional_attention: supportsOnly(false),
    partial_rotary_factor: supportsOnly(1),
    rope_theta: full.rope_theta,
    rope_scaling: full.rope_scaling,
    rope_local_base_freq: sliding.rope_theta,
    /** Written by transformers 5, by type of layer. */
    rope_parameters: z.nullish(
      z.object({
        full_attention: full.rope_parameters,
        sliding_attention: sliding.rope_parameters,
      }),
    ),
  }),
});

/**
 * Gemma 3 (arXiv 2503.19786), by `text_config`: most layers attend to a sliding window, and rotate
 * queries and keys at other frequencies than the layers that attend to everything.
 *
 * @param prefix name of the decoder among the weights
 */
export function gemma3Text(files: CheckpointFiles, prefix: string): TextModel {
  const { text_config: text } = parseConfig(Config, files);
  const { rope_theta, rope_scaling, rope_parameters, head_dim, max_position_embeddings } = text;
  const { full_attention, sliding_attention } = rope_parameters ?? {};
  const everywhere = {
    ...{ rope_theta, rope_scaling, max_position_embeddings },
    rope_parameters: full_attention,
  };
  const local = {
    rope_theta: text.rope_local_base_freq,
    rope_parameters: sliding_attention,
    max_position_embeddings,
  };
  const layers: Record<LayerType, GemmaLayer> = {
    full_attention: { range: "all", rope: ropeSettings(everywhere, head_dim) },
    sliding_attention: { range: "window", rope: ropeSettings(local, head_dim) },
  };
  const config = {
    ...text,
    scale: text.query_pre_attn_scalar ** -0.5,
    layers: periodicLayers(text, text.sliding_window_pattern).map((type) => layers[type]),
  };
  return gemmaDecoder(config, prefix);
}
