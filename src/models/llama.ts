import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { addImageRows } from "../ops/add-image-rows.ts";
import type { LayerCache } from "../ops/cache.ts";
import { embed } from "../ops/embed.ts";
import { type DecoderType, decoderDefaults } from "./decoder-defaults.ts";
import { decoderLayer } from "./decoder.ts";
import { hiddenWeights } from "./hidden-weights.ts";
import { rms } from "./layers.ts";
import { type LlamaConfig, llamaConfig } from "./llama-config.ts";
import { lmHead, tokenEmbeddings } from "./lm-head.ts";
import type { CheckpointFiles, TextModel, Weights } from "./model.ts";
import { rope } from "./rope.ts";

/**
 * Llama (arXiv 2302.13971), Qwen2 (arXiv 2407.10671), which adds biases, or Qwen3 (arXiv 2505.09388),
 * which adds norms of queries and keys, by `text_config`.
 *
 * @param prefix name of the decoder among the weights
 * @param otherwise the family's default of `text_config.model_type`
 * @throws Error naming the field of config.json that is wrong
 */
export function llama(
  files: CheckpointFiles,
  prefix: string,
  otherwise: DecoderType = "llama",
): TextModel {
  return llamaDecoder(llamaConfig(files, decoderDefaults(files, otherwise)), prefix);
}

/**
 * A decoder made of `decoderLayer`.
 *
 * @param prefix name of the decoder among the weights
 */
export function llamaDecoder(config: LlamaConfig, prefix: string): TextModel {
  return {
    text: config,
    forward: (g, w, rows, images, cache) => layers(g, w.under(prefix), config, rows, images, cache),
    head(g, w, hidden) {
      const decoder = w.under(prefix);
      return lmHead(g, w, decoder, hidden, rms(decoder, "norm", config.rms_norm_eps));
    },
  };
}

/**
 * Embedding and decoder layers. Image states beyond the embeddings are added to the image rows
 * after the first layers (DeepStack, arXiv 2406.04334).
 *
 * @param rows token rows `[T, ROW_WORDS]`
 * @param images image states, each `[N, D]`, the embeddings first
 * @returns hidden states `[T, D]`, before the final norm
 */
function layers(
  g: Graph,
  w: Weights,
  c: LlamaConfig,
  rows: Tensor,
  [images, ...deepstack]: readonly Tensor[],
  cache: readonly LayerCache[],
): Tensor {
  const inputs = { rows, rope: rope(g, c.rope) };
  let x = g.capture("embeds", embed(g, rows, tokenEmbeddings(w, c), images));
  cache.forEach((layerCache, i) => {
    const own = w.under(`layers.${i}`);
    checkBiases(own, c);
    const layer = hiddenWeights(own, c.unused);
    const range = c.ranges[i] ?? "all";
    x = g.capture(`hidden.${i}`, decoderLayer(g, layer, c, { ...inputs, range }, layerCache, x));
    const states = deepstack[i];
    if (states) x = addImageRows(g, rows, x, states, c.vocab_size);
  });
  return x;
}

/** Throws Error when config.json asks for biases that a layer does not have. */
function checkBiases(w: Weights, { biases }: LlamaConfig): void {
  for (const [field, name] of biases) {
    if (w.has(name)) continue;
    throw new Error(`config.json: text_config.${field} is true, but the weights have no ${name}`);
  }
}
