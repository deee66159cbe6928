import shader from "../../shaders/add-image-rows.wgsl?raw";
import row from "../../shaders/lib/row.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { fold } from "./grid.ts";
import { ROW_WORDS } from "./row.ts";

/**
 * y[t] = x[t], plus states[token - V] where the row's token is >= V. DeepStack adds image states to
 * image rows this way (arXiv 2406.04334).
 *
 * @param rows `[T, ROW_WORDS]` u32
 * @param x `[T, D]`, D a multiple of 4
 * @param states `[N, D]`, one row per image row
 * @param V size of the vocabulary
 * @returns `[T, D]`
 * @throws TypeError when the shapes don't fit
 */
export function addImageRows(g: Graph, rows: Tensor, x: Tensor, states: Tensor, V: number): Tensor {
  const [T, D] = x.shape as [number, number];
  if (rows.shape[0] !== T || rows.shape[1] !== ROW_WORDS) {
    throw new TypeError(`addImageRows: rows are [${rows.shape}], expected [${[T, ROW_WORDS]}]`);
  }
  if (D % 4 !== 0) throw new TypeError(`addImageRows: D is ${D}, expected a multiple of 4`);
  if (states.shape[1] !== D) {
    throw new TypeError(`addImageRows: states are [${states.shape}], expected [N, ${D}]`);
  }
  const y = g.scratch([T, D], "add-image-rows");
  g.dispatch(
    { name: "add-image-rows", code: shader + row, constants: { D, V } },
    [[rows, x, states, y]],
    fold(T),
  );
  return y;
}
