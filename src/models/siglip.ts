import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { linear } from "../ops/linear.ts";
import { type EncoderConfig, encoder } from "./encoder.ts";
import type { Weights } from "./model.ts";

/**
 * SigLIP vision transformer (arXiv 2303.15343): every patch attends to all patches of its tile.
 *
 * @param patches `[tiles * P, channels * patchSize²]`
 * @param rows `[tiles * P, ROW_WORDS]`
 * @returns hidden states before the post-layernorm, `[tiles * P, D]`
 */
export function siglip(
  g: Graph,
  w: Weights,
  c: EncoderConfig,
  patches: Tensor,
  rows: Tensor,
): Tensor {
  const e = w.under("embeddings");
  const x = linear(g, patches, e.matrix("patch_embedding.weight"), {
    bias: e.vector("patch_embedding.bias"),
    residual: e.vector("position_embedding.weight"), // [P, D], the same for every tile
  });
  return encoder(g, w.under("encoder"), c, rows, x);
}
