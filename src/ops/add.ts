import shader from "../../shaders/add.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import { type Tensor, elementCount } from "../gpu/tensor.ts";
import { fold } from "./grid.ts";

/**
 * y[t] = a[t] + b[t mod R].
 *
 * @param a `[T, D]`
 * @param b `[R, D]`, where R divides T
 * @returns `[T, D]`
 * @throws TypeError when the shapes don't fit
 */
export function add(g: Graph, a: Tensor, b: Tensor): Tensor {
  if (elementCount(a.shape) % elementCount(b.shape) !== 0) {
    throw new TypeError(
      `add: b is [${b.shape}], expected elements that divide those of a [${a.shape}]`,
    );
  }
  const y = g.scratch(a.shape, "add");
  g.dispatch(
    { name: "add", code: shader },
    [[a, b, y]],
    fold(Math.ceil(elementCount(a.shape) / 64)),
  );
  return y;
}
