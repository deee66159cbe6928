import shader from "../../shaders/interpolate-rows.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { fold } from "./grid.ts";

/**
 * y[p] = sum over j of weights[p, j] * table[indices[p, j]]. Resamples position embeddings
 * bilinearly, from four rows of the table each.
 *
 * @param table `[R, D]`, D a multiple of 4
 * @param indices `[P, 4]` u32, each below R
 * @param weights `[P, 4]`
 * @returns `[P, D]`
 * @throws TypeError when the shapes don't fit
 */
export function interpolateRows(g: Graph, table: Tensor, indices: Tensor, weights: Tensor): Tensor {
  const [, D] = table.shape as [number, number];
  const [P] = indices.shape as [number];
  if (D % 4 !== 0) throw new TypeError(`interpolateRows: D is ${D}, expected a multiple of 4`);
  if (indices.shape[1] !== 4 || weights.shape[0] !== P || weights.shape[1] !== 4) {
    throw new TypeError(
      `interpolateRows: indices are [${indices.shape}] and weights [${weights.shape}], ` +
        `expected [${[P, 4]}]`,
    );
  }
  const y = g.scratch([P, D], "interpolate-rows");
  g.dispatch(
    { name: "interpolate-rows", code: shader, constants: { D } },
    [[table, indices, weights, y]],
    fold(P),
  );
  return y;
}
