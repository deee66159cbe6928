import shader from "../../shaders/gather-columns.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import { elementCount, type Tensor } from "../gpu/tensor.ts";
import { fold } from "./grid.ts";

const LANES = 64;

/**
 * y[t, k] = x[t, columns[k]].
 *
 * @param x `[T, D]`
 * @param columns `[D]` u32, each below D
 * @returns `[T, D]`
 * @throws TypeError when the shapes don't fit
 */
export function gatherColumns(g: Graph, x: Tensor, columns: Tensor): Tensor {
  const D = elementCount(columns.shape);
  if (x.shape.at(-1) !== D) {
    throw new TypeError(`gatherColumns: x is [${x.shape}], columns are [${columns.shape}]`);
  }
  const y = g.scratch(x.shape, "gather-columns");
  const groups = Math.ceil(elementCount(x.shape) / LANES);
  g.dispatch(
    { name: "gather-columns", code: shader, constants: {} },
    [[x, columns, y]],
    fold(groups),
  );
  return y;
}
