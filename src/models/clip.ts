import type { Graph } from "../gpu/graph.ts";
import { type Tensor, reshape } from "../gpu/tensor.ts";
import { add } from "../ops/add.ts";
import { gatherRows } from "../ops/gather-rows.ts";
import { layerNorm } from "../ops/layer-norm.ts";
import { linear } from "../ops/linear.ts";
import { type EncoderConfig, encoder } from "./encoder.ts";
import type { VisionPass, VisionTable, Weights } from "./model.ts";
import { tileRows } from "./tile-rows.ts";

/**
 * A pass of `clip` over some tiles, each of which has a row of its own before those of its patches.
 *
 * @param tilePatches patches of each tile
 */
export function clipPass(tiles: number, tilePatches: number): VisionPass {
  const P = tiles * tilePatches;
  const T = P + tiles;
  const ownRow = tilePatches + 1;
  const all = Array.from({ length: T }, (_, i) => i);
  const places = all.map((i) => (i % ownRow === 0 ? P : i - Math.floor(i / ownRow) - 1));
  const table = (data: number[]): VisionTable => ({
    shape: [data.length],
    data: Uint32Array.from(data),
  });
  return {
    P,
    tables: {
      rows: tileRows(tiles, ownRow, T),
      /** Of each row its patch; P for the class embedding. */
      places: table(places),
      /** Rows of the patches. */
      patch_rows: table(all.filter((i) => i % ownRow !== 0)),
    },
  };
}

/**
 * CLIP's vision transformer (arXiv 2103.00020): a class embedding before the patches of each tile,
 * learned positions, and a norm before the first layer where the checkpoint has it.
 *
 * @param patches `[P, channels * patchSize²]`
 * @param tables of `clipPass`
 * @returns hidden states before the post-layernorm, `[tiles + P, D]`
 */
export function clip(
  g: Graph,
  w: Weights,
  c: EncoderConfig,
  patches: Tensor,
  { rows, places }: Readonly<Record<string, Tensor>>,
): Tensor {
  const e = w.under("embeddings");
  const bias = e.has("patch_embedding.bias") ? e.vector("patch_embedding.bias") : undefined;
  const embedded = linear(g, patches, e.matrix("patch_embedding.weight"), bias && { bias });
  const own = reshape(e.vector("class_embedding"), [1, c.hidden_size]);
  const together = gatherRows(g, embedded, places as Tensor, { more: own }); // [tiles + P, D]
  let x = add(g, together, e.vector("position_embedding.weight")); // the same for every tile
  if (w.has("pre_layrnorm.weight")) {
    const norm = w.under("pre_layrnorm");
    x = layerNorm(g, x, norm.vector("weight"), norm.vector("bias"), c.layer_norm_eps);
  }
  return encoder(g, w.under("encoder"), c, rows as Tensor, x);
}

/** @returns the rows of the patches, `[P, D]` */
export function dropClass(
  g: Graph,
  x: Tensor,
  { patch_rows }: Readonly<Record<string, Tensor>>,
): Tensor {
  return gatherRows(g, x, patch_rows as Tensor);
}
