import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { linear } from "../ops/linear.ts";
import type { Weights } from "./model.ts";

/**
 * Two linear layers with GELU between them, as many connectors are.
 *
 * @param x `[T, D]`
 * @param names of the layers, "linear_1" and "linear_2" say
 */
export function mlp(
  g: Graph,
  w: Weights,
  x: Tensor,
  [first, second]: readonly [string, string],
): Tensor {
  const h = linear(g, x, w.matrix(`${first}.weight`), {
    bias: w.vector(`${first}.bias`),
    activation: "gelu",
  });
  return linear(g, h, w.matrix(`${second}.weight`), { bias: w.vector(`${second}.bias`) });
}
