import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { linear } from "../ops/linear.ts";
import type { Weights } from "./model.ts";

/** The tensor of a decoder that holds its token embeddings `[V, D]`. */
export const EMBEDDINGS = "embed_tokens.weight";

const HEAD = "lm_head.weight";

/**
 * The language-model head. Its matrix is that of the token embeddings where config.json ties both,
 * or where the checkpoint has no matrix for the head.
 *
 * @param w all of the checkpoint's weights
 * @param decoder those of the decoder
 * @param x hidden states `[B, D]`, after the final norm
 * @param isTied what config.json says
 * @returns logits `[B, V]`
 */
export function lmHead(g: Graph, w: Weights, decoder: Weights, x: Tensor, isTied: boolean): Tensor {
  return linear(g, x, isTied || !w.has(HEAD) ? decoder.head(EMBEDDINGS) : w.head(HEAD));
}
