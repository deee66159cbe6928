import shader from "../../shaders/add-scaled.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import { type Tensor, elementCount } from "../gpu/tensor.ts";
import { fold } from "./grid.ts";

/**
 * y = a + scale * b, with one factor per channel of b.
 *
 * @param a `[T, D]`
 * @param b `[T, D]`
 * @param scale `[D]`
 * @returns `[T, D]`
 * @throws TypeError when the shapes don't fit
 */
export function addScaled(g: Graph, a: Tensor, b: Tensor, scale: Tensor): Tensor {
  const [T, D] = a.shape as [number, number];
  if (b.shape[0] !== T || b.shape[1] !== D || elementCount(scale.shape) !== D) {
    throw new TypeError(
      `addScaled: b is [${b.shape}] and scale [${scale.shape}], expected [${[T, D]}] and [${D}]`,
    );
  }
  const y = g.scratch(a.shape, "add-scaled");
  g.dispatch(
    { name: "add-scaled", code: shader },
    [[a, b, scale, y]],
    fold(Math.ceil((T * D) / 64)),
  );
  return y;
}
