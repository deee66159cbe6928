import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { LayerCache } from "../ops/cache.ts";
import { embed } from "../ops/embed.ts";
import { type DecoderConfig, decoderLayer } from "./decoder.ts";
import type { Weights } from "./model.ts";
import { ropeTables } from "./rope.ts";

/** The fields of a Llama `text_config` that its decoder reads. */
export interface LlamaConfig extends DecoderConfig {
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
  const axes = new Array<number>(c.head_dim / 2).fill(0);
  const inputs = { rows, rope: ropeTables(g, c.rope_theta, c.head_dim, axes) };
  let x = g.tap("embeds", embed(g, rows, w.matrix("embed_tokens.weight"), images));
  cache.forEach((layerCache, i) => {
    const layer = w.under(`layers.${i}`);
    x = g.tap(`hidden.${i}`, decoderLayer(g, layer, c, inputs, layerCache, x));
  });
  return x;
}
