import type { Graph } from "../gpu/graph.ts";
import { type Tensor, reshape } from "../gpu/tensor.ts";
import { add } from "../ops/add.ts";
import { gatherRows } from "../ops/gather-rows.ts";
import { checkSizes } from "./config.ts";
import { type EncoderConfig, encoder } from "./encoder.ts";
import { embedPatches, norm } from "./layers.ts";
import type { VisionPass, VisionTable, VisionTensors, Weights } from "./model.ts";
import { tileRows } from "./tile-rows.ts";

/** Names of the tables of `clipPass`. */
export type ClipTable = "rows" | "patches" | "patch_rows";

/**
 * A pass of `clip` over some tiles. Each tile has a row for the class embedding, followed by
 * one row per patch.
 *
 * @param tilePatches patches of each tile
 */
export function clipPass(tiles: number, tilePatches: number): VisionPass<ClipTable> {
  const P = tiles * tilePatches;
  const T = P + tiles;
  const ownRow = tilePatches + 1;
  const all = Array.from({ length: T }, (_, i) => i);
  const patches = all.map((i) => (i % ownRow === 0 ? P : i - Math.floor(i / ownRow) - 1));
  const table = (data: number[]): VisionTable => ({
    shape: [data.length],
    data: Uint32Array.from(data),
  });
  return {
    P,
    tables: {
      rows: tileRows(tiles, ownRow, T),
      /** `[tiles + P]`: the patch of each row; P for a class embedding. */
      patches: table(patches),
      /** `[P]`: the row of each patch. */
      patch_rows: table(all.filter((i) => i % ownRow !== 0)),
    },
  };
}

/**
 * CLIP's vision transformer (arXiv 2103.00020): a class embedding before the patches of each tile,
 * and learned positions and a norm before the first layer where the checkpoint has them.
 *
 * @param patches `[P, channels * patchSize²]`
 * @param tables those of `clipPass`
 * @returns hidden states before the post-layernorm, `[tiles + P, D]`
 */
export function clip(
  g: Graph,
  w: Weights,
  c: EncoderConfig,
  patches: Tensor,
  tables: VisionTensors<ClipTable>,
): Tensor {
  const e = w.under("embeddings");
  const embedded = embedPatches(g, e.under("patch_embedding"), patches); // [P, D]
  checkSizes("vision_config", c, { hidden_size: embedded.shape[1] });
  const ofClass = reshape(e.vector("class_embedding"), [1, c.hidden_size]);
  const all = gatherRows(g, embedded, tables.patches, { more: ofClass }); // [tiles + P, D]
  const positions = "position_embedding.weight";
  const x = e.has(positions) ? add(g, all, e.vector(positions)) : all; // the same for every tile
  const isNormed = w.has("pre_layrnorm.weight");
  const normed = isNormed ? norm(g, w.under("pre_layrnorm"), x, c.layer_norm_eps) : x;
  return encoder(g, w.under("encoder"), c, tables.rows, normed);
}

/**
 * Drops the class embeddings' rows.
 *
 * @param x `[tiles + P, D]`
 * @returns `[P, D]`
 */
export function dropClass(
  g: Graph,
  x: Tensor,
  { patch_rows }: VisionTensors<"patch_rows">,
): Tensor {
  return gatherRows(g, x, patch_rows);
}
