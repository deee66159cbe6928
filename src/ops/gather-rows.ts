import shader from "../../shaders/gather-rows.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { fold } from "./grid.ts";

/**
 * into[b] = x[indices[b]].
 *
 * @param x `[T, D]`, D a multiple of 4
 * @param indices `[B]` u32, each below T
 * @param into `[B, D]`
 * @throws TypeError when the shapes don't fit
 */
export function gatherRows(g: Graph, x: Tensor, indices: Tensor, into: Tensor): void {
  const [, D] = x.shape as [number, number];
  const [B] = indices.shape as [number];
  if (D % 4 !== 0) throw new TypeError(`gatherRows: D is ${D}, expected a multiple of 4`);
  if (into.shape[0] !== B || into.shape[1] !== D) {
    throw new TypeError(`gatherRows: into is [${into.shape}], expected [${[B, D]}]`);
  }
  g.dispatch(
    { name: "gather-rows", code: shader, constants: { D } },
    [[x, indices, into]],
    fold(B),
  );
}
