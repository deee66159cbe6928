import shader from "../../shaders/gather-rows.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { fold } from "./grid.ts";

export interface GatherOptions {
  /** `[B, D]`, receives the rows. Default: a new tensor. */
  readonly into?: Tensor;
  /** `[E, D]`, the rows of indices from T on. Default: none. */
  readonly more?: Tensor;
}

/**
 * y[b] = x[indices[b]], or more[indices[b] - T] from T on.
 *
 * @param x `[T, D]`, D a multiple of 4
 * @param indices `[B]` u32, each below T + E
 * @returns `[B, D]`
 * @throws TypeError when the shapes don't fit
 */
export function gatherRows(
  g: Graph,
  x: Tensor,
  indices: Tensor,
  { into, more = x }: GatherOptions = {},
): Tensor {
  const [, D] = x.shape as [number, number];
  const [B] = indices.shape as [number];
  if (D % 4 !== 0) throw new TypeError(`gatherRows: D is ${D}, expected a multiple of 4`);
  if (more.shape[1] !== D) {
    throw new TypeError(`gatherRows: more is [${more.shape}], expected [E, ${D}]`);
  }
  const y = into ?? g.scratch([B, D], "gather-rows");
  if (y.shape[0] !== B || y.shape[1] !== D) {
    throw new TypeError(`gatherRows: into is [${y.shape}], expected [${[B, D]}]`);
  }
  g.dispatch(
    { name: "gather-rows", code: shader, constants: { D } },
    [[x, more, indices, y]],
    fold(B),
  );
  return y;
}
