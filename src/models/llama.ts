import * as z from "zod/mini";
import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { LayerCache } from "../ops/cache.ts";
import { embed } from "../ops/embed.ts";
import { linear } from "../ops/linear.ts";
import { rmsNorm } from "../ops/rms-norm.ts";
import { parseConfig, ropeSettings } from "./config.ts";
import { type DecoderLayerConfig, decoderLayer } from "./decoder.ts";
import type { CheckpointFiles, Model, Weights } from "./model.ts";
import { inverseFrequencies, llama3Frequencies, rope } from "./rope.ts";

/** The fields of config.json, with the defaults of transformers' Llama class. */
const Config = z.object({
  tie_word_embeddings: z._default(z.boolean(), false),
  text_config: z.object({
    vocab_size: z._default(z.int(), 32_000),
    hidden_size: z._default(z.int(), 4096),
    num_hidden_layers: z._default(z.int(), 32),
    num_attention_heads: z._default(z.int(), 32),
    num_key_value_heads: z.optional(z.int()),
    head_dim: z.optional(z.nullable(z.int())),
    rms_norm_eps: z._default(z.number(), 1e-6),
    max_position_embeddings: z._default(z.int(), 2048),
    hidden_act: z._default(z.literal("silu"), "silu"),
  }),
});

export interface LlamaConfig extends DecoderLayerConfig {
  /** `[head_dim / 2]` radians per position of each channel pair */
  readonly frequencies: readonly number[];
  readonly tie_word_embeddings: boolean;
}

export function llamaConfig(files: CheckpointFiles): LlamaConfig {
  const { text_config: text, tie_word_embeddings } = parseConfig(Config, files);
  const H = text.num_attention_heads;
  const head_dim = text.head_dim ?? text.hidden_size / H;
  const { theta, scaling } = ropeSettings(files, "text_config");
  const frequencies = inverseFrequencies(theta, head_dim);
  return {
    ...text,
    num_key_value_heads: text.num_key_value_heads ?? H,
    head_dim,
    frequencies: scaling ? llama3Frequencies(frequencies, scaling) : frequencies,
    tie_word_embeddings,
  };
}

/** The text side of a model. */
export type Language = Pick<Model, "text" | "forward" | "head">;

/**
 * Llama (arXiv 2302.13971) and Qwen2 (arXiv 2407.10671), which adds biases, by `text_config`.
 *
 * @param prefix name of the decoder among the weights
 */
export function llama(files: CheckpointFiles, prefix: string): Language {
  const config = llamaConfig(files);
  return {
    text: config,
    forward: (g, w, rows, [images], cache) =>
      layers(g, w.under(prefix), config, rows, images as Tensor, cache),
    head(g, w, hidden) {
      const text = w.under(prefix);
      const x = rmsNorm(g, hidden, text.vector("norm.weight"), config.rms_norm_eps);
      const tied = config.tie_word_embeddings || !w.has("lm_head.weight");
      return linear(g, x, tied ? text.matrix("embed_tokens.weight") : w.matrix("lm_head.weight"));
    },
  };
}

/**
 * @param rows `[T, ROW_WORDS]`
 * @param images image embeddings `[N, D]`
 * @returns hidden states `[T, D]`, before the final norm
 */
function layers(
  g: Graph,
  w: Weights,
  c: LlamaConfig,
  rows: Tensor,
  images: Tensor,
  cache: readonly LayerCache[],
): Tensor {
  const inputs = { rows, rope: rope(g, c.frequencies) };
  let x = g.capture("embeds", embed(g, rows, w.matrix("embed_tokens.weight"), images));
  cache.forEach((layerCache, i) => {
    const layer = w.under(`layers.${i}`);
    x = g.capture(`hidden.${i}`, decoderLayer(g, layer, c, inputs, layerCache, x));
  });
  return x;
}
