import * as z from "zod/mini";
import { supportsOnly, parseConfig } from "./config.ts";
import { gemmaDecoder } from "./gemma.ts";
import { LayeredGemmaFields, periodicLayers } from "./layer-types.ts";
import type { CheckpointFiles, TextModel } from "./model.ts";
import { ropeFields, ropeSettings } from "./rope-settings.ts";

const Softcap = z.nullable(z.number().check(z.positive()));

/** The fields of config.json, with the defaults of transformers' Gemma 2 class. */
const Config = z.object({
  text_config: z.object({
    ...LayeredGemmaFields,
    vocab_size: z._default(z.int(), 256_000),
    max_position_embeddings: z._default(z.int(), 8192),
    attn_logit_softcapping: z._default(Softcap, 50),
    final_logit_softcapping: z._default(Softcap, 30),
    use_bidirectional_attention: supportsOnly(true),
    ...ropeFields(10_000),
  }),
});

/**
 * Gemma 2 (arXiv 2408.00118), by `text_config`: every other layer attends to a sliding window, and
 * attention scores and logits are bounded.
 *
 * @param prefix name of the decoder among the weights
 */
export function gemma2Text(files: CheckpointFiles, prefix: string): TextModel {
  const { text_config: text } = parseConfig(Config, files);
  const rope = ropeSettings(text, text.head_dim);
  const config = {
    ...text,
    scale: text.query_pre_attn_scalar ** -0.5,
    layers: periodicLayers(text, 2).map((type) => ({
      range: type === "full_attention" ? ("all" as const) : ("window" as const),
      rope,
    })),
  };
  return gemmaDecoder(config, prefix);
}
