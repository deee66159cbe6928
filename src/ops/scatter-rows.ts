import shader from "../../shaders/scatter-rows.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { fold } from "./grid.ts";

/**
 * into[targets[t]] = x[t]. Rows with a target from N on are dropped.
 *
 * @param x `[T, D]`, D a multiple of 4
 * @param targets `[T]` u32, no two below N the same
 * @param into `[N, D]`
 * @throws TypeError when the shapes don't fit
 */
export function scatterRows(g: Graph, x: Tensor, targets: Tensor, into: Tensor): void {
  const [T, D] = x.shape as [number, number];
  if (D % 4 !== 0) throw new TypeError(`scatterRows: D is ${D}, expected a multiple of 4`);
  if (`${targets.shape}` !== `${T}` || into.shape[1] !== D) {
    throw new TypeError(
      `scatterRows: targets are [${targets.shape}] and into [${into.shape}], ` +
        `expected [${T}] and [N, ${D}]`,
    );
  }
  const kernel = { name: "scatter-rows", code: shader, constants: { D } };
  g.dispatch(kernel, [[x, targets, into]], fold(T));
}
