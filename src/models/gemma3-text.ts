import * as z from "zod/mini";
import { parseConfig } from "./config.ts";
import { type LayerType, LayeredFields, layerTypes } from "./gemma-layers.ts";
import { type GemmaLayer, gemmaDecoder } from "./gemma.ts";
import type { Language } from "./llama.ts";
import type { CheckpointFiles } from "./model.ts";
import { inverseFrequencies } from "./rope.ts";

/** How positions are scaled; early files say `type`. */
const Scaling = z.looseObject({
  rope_type: z.optional(z.string()),
  type: z.optional(z.string()),
  factor: z.optional(z.number()),
  rope_theta: z.optional(z.number()),
});

/** The fields of config.json, with the defaults of transformers' Gemma 3 text class. */
const Config = z.object({
  tie_word_embeddings: z._default(z.boolean(), true),
  text_config: z.object({
    ...LayeredFields,
    vocab_size: z._default(z.int(), 262_208),
    max_position_embeddings: z._default(z.int(), 131_072),
    sliding_window_pattern: z._default(z.int().check(z.positive()), 6),
    attn_logit_softcapping: z.optional(z.null()),
    final_logit_softcapping: z.optional(z.null()),
    use_bidirectional_attention: z.optional(z.nullable(z.literal(false))),
    rope_theta: z._default(z.number(), 1_000_000),
    rope_local_base_freq: z._default(z.number(), 10_000),
    rope_scaling: z.optional(z.nullable(Scaling)),
    rope_parameters: z.optional(
      z.nullable(
        z.object({
          full_attention: z.optional(z.nullable(Scaling)),
          sliding_attention: z.optional(z.nullable(Scaling)),
        }),
      ),
    ),
  }),
});

/**
 * Gemma 3 (arXiv 2503.19786), by `text_config`: most layers attend to a window, and turn queries and
 * keys by other angles than those that attend to everything.
 *
 * @param prefix name of the decoder among the weights
 */
export function gemma3Text(files: CheckpointFiles, prefix: string): Language {
  const { text_config: text, tie_word_embeddings } = parseConfig(Config, files);
  const { head_dim, rope_parameters } = text;
  const full = { rope_theta: text.rope_theta, ...rope_parameters?.full_attention };
  const sliding = { rope_theta: text.rope_local_base_freq, ...rope_parameters?.sliding_attention };
  const layers: Record<LayerType, GemmaLayer> = {
    full_attention: {
      range: "all",
      frequencies: scaledFrequencies({ ...full, ...text.rope_scaling }, head_dim),
    },
    sliding_attention: { range: "window", frequencies: scaledFrequencies(sliding, head_dim) },
  };
  const config = {
    ...text,
    tie_word_embeddings,
    scale: text.query_pre_attn_scalar ** -0.5,
    layers: layerTypes(text, text.sliding_window_pattern).map((type) => layers[type]),
  };
  return gemmaDecoder(config, prefix);
}

/** @returns `[C / 2]`; "linear" divides positions by a factor (arXiv 2306.15595) */
function scaledFrequencies(
  scaling: z.output<typeof Scaling> & { readonly rope_theta: number },
  C: number,
): number[] {
  const type = scaling.rope_type ?? scaling.type ?? "default";
  if (type !== "default" && type !== "linear") {
    throw new Error(`config.json: text_config: rope type ${type} is not known`);
  }
  const factor = type === "linear" ? scaling.factor : 1;
  if (factor === undefined) {
    throw new Error("config.json: text_config: linear rope scaling without a factor");
  }
  return inverseFrequencies(scaling.rope_theta, C).map((frequency) => frequency / factor);
}
