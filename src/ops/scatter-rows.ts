import shader from "../../shaders/scatter-rows.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { fold } from "./grid.ts";

/**
 * into[places[i]] = x[i]; rows whose place is beyond the last are dropped.
 *
 * @param x `[T, D]`, D a multiple of 4
 * @param places `[T]` u32, no two the same
 * @param into `[N, D]`
 * @throws TypeError when the shapes don't fit
 */
export function scatterRows(g: Graph, x: Tensor, places: Tensor, into: Tensor): void {
  const [T, D] = x.shape as [number, number];
  if (D % 4 !== 0) throw new TypeError(`scatterRows: D is ${D}, expected a multiple of 4`);
  if (`${places.shape}` !== `${T}` || into.shape[1] !== D) {
    throw new TypeError(
      `scatterRows: places are [${places.shape}] and into [${into.shape}], ` +
        `expected [${T}] and [N, ${D}]`,
    );
  }
  const kernel = { name: "scatter-rows", code: shader, constants: { D } };
  g.dispatch(kernel, [[x, places, into]], fold(T));
}
