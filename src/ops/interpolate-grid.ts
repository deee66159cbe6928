import shader from "../../shaders/interpolate-grid.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import { type Tensor, elementCount } from "../gpu/tensor.ts";
import { fold } from "./grid.ts";

/**
 * y[p] = sum over i and j of down[p, i] * across[p, j] * table[i, j]. Resamples a grid of position
 * embeddings by separable weights, with antialiasing. Most weights are 0, and cost little.
 *
 * @param table `[H * W, D]`, D a multiple of 4
 * @param down `[P, H]`, weights of the grid's rows
 * @param across `[P, W]`, weights of the grid's columns
 * @returns `[P, D]`
 * @throws TypeError when the shapes don't fit
 */
export function interpolateGrid(g: Graph, table: Tensor, down: Tensor, across: Tensor): Tensor {
  const [P, HEIGHT] = down.shape as [number, number];
  const WIDTH = across.shape[1] as number;
  const D = table.shape[1] as number;
  if (D % 4 !== 0) throw new TypeError(`interpolateGrid: D is ${D}, expected a multiple of 4`);
  if (across.shape[0] !== P || elementCount(table.shape) !== HEIGHT * WIDTH * D) {
    throw new TypeError(
      `interpolateGrid: table is [${table.shape}], down [${down.shape}] and across ` +
        `[${across.shape}], expected [H * W, D], [P, H] and [P, W]`,
    );
  }
  const y = g.scratch([P, D], "interpolate-grid");
  g.dispatch(
    { name: "interpolate-grid", code: shader, constants: { D, HEIGHT, WIDTH } },
    [[table, down, across, y]],
    fold(P),
  );
  return y;
}
