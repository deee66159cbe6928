import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import type { Weight } from "../gpu/weight.ts";
import { linear } from "../ops/linear.ts";
import type { RmsNorm } from "../ops/rms-norm.ts";
import { checkSizes } from "./config.ts";
import type { TextShape, Weights } from "./model.ts";

/** The tensor of a decoder that holds its token embeddings `[V, D]`. */
const EMBEDDINGS = "embed_tokens.weight";

/**
 * The token embeddings `[V, D]`.
 *
 * @param w the decoder's weights
 * @throws Error naming `vocab_size` when it is not V, since the ids from there on stand for image rows,
 *   or `hidden_size` when it is not D
 */
export function tokenEmbeddings(
  w: Weights,
  text: Pick<TextShape, "vocab_size" | "hidden_size">,
): Weight {
  const table = w.embedding(EMBEDDINGS);
  const [vocab_size, hidden_size] = table.shape;
  checkSizes("text_config", text, { vocab_size, hidden_size });
  return table;
}

const HEAD = "lm_head.weight";

/**
 * The language-model head. Its matrix is the checkpoint's own, or that of the token embeddings where
 * the checkpoint stores none. What `tie_word_embeddings` says is not asked: files of tied models have
 * no matrix for the head, and where a file has one that differs from the embeddings, transformers 5
 * uses it, whatever config.json says.
 *
 * @param w all of the checkpoint's weights
 * @param decoder those of the decoder
 * @param x hidden states `[B, D]`, before the final norm
 * @returns logits `[B, V]`
 */
export function lmHead(g: Graph, w: Weights, decoder: Weights, x: Tensor, norm: RmsNorm): Tensor {
  return linear(g, x, w.has(HEAD) ? w.head(HEAD) : decoder.head(EMBEDDINGS), { norm });
}
