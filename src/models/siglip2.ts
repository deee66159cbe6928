import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { interpolateGrid } from "../ops/interpolate-grid.ts";
import { exactTaps } from "../ops/resize-taps.ts";
import { type EncoderConfig, encoder } from "./encoder.ts";
import { embedPatches } from "./layers.ts";
import type { ImageLayout, VisionPass, VisionTable, VisionTensors, Weights } from "./model.ts";
import { blockOrder, patchBucket } from "./patch-blocks.ts";
import { tileRows } from "./tile-rows.ts";

/** Names of the tables of `siglip2Pass`. */
export type Siglip2Table = "rows" | "down" | "across";

/**
 * A pass of `siglip2` over some tiles of an image, whose patches come in blocks of merge x merge.
 *
 * @param side learned positions along each edge
 */
export function siglip2Pass(
  { grid }: Pick<ImageLayout, "grid">,
  tiles: number,
  merge: number,
  side: number,
): VisionPass<Siglip2Table> {
  const patches = blockOrder({ grid }, merge);
  const P = patchBucket(tiles * patches.length, merge ** 2);
  const [height, width] = grid;
  const all = Array.from({ length: tiles }, () => patches).flat();
  return {
    P,
    tables: {
      rows: tileRows(tiles, patches.length, P),
      down: positionWeights(
        all.map(({ y }) => y),
        height,
        side,
        P,
      ),
      across: positionWeights(
        all.map(({ x }) => x),
        width,
        side,
        P,
      ),
    },
  };
}

/**
 * How each patch's position along one axis is interpolated from the learned ones: weights `[P, side]`.
 * The tower resizes the learned positions to the image's patches as PyTorch resizes images.
 *
 * @param coordinates the patches' coordinates along the axis
 * @param length patches along the axis
 */
function positionWeights(
  coordinates: readonly number[],
  length: number,
  side: number,
  P: number,
): VisionTable {
  const { starts, weights } = exactTaps(side, length, "bilinear");
  const data = new Float32Array(P * side);
  coordinates.forEach((at, p) => {
    const [first, begin, , end] = starts.subarray(2 * at, 2 * at + 4) as unknown as number[];
    data.set(weights.slice(begin, end), p * side + (first as number));
  });
  return { shape: [P, side], data };
}

/**
 * SigLIP 2's vision transformer for images of any proportions (NaFlex, arXiv 2502.14786). Every patch
 * attends to all patches of its tile.
 *
 * @param patches `[P, channels * patchSize²]`
 * @param tables those of `siglip2Pass`
 * @returns hidden states before the post-layernorm, `[P, D]`
 */
export function siglip2(
  g: Graph,
  w: Weights,
  c: EncoderConfig,
  patches: Tensor,
  { rows, down, across }: VisionTensors<Siglip2Table>,
): Tensor {
  const e = w.under("embeddings");
  const learned = e.vector("position_embedding.weight"); // [side², D]
  const x = embedPatches(g, e.under("patch_embedding"), patches, {
    residual: interpolateGrid(g, learned, down, across),
  });
  return encoder(g, w.under("encoder"), c, rows, x);
}
