import shader from "../../shaders/layer-norm.wgsl?raw";
import reduce from "../../shaders/lib/reduce.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import { type Tensor, elementCount } from "../gpu/tensor.ts";
import { fold } from "./grid.ts";
import { normLanes } from "./norm-lanes.ts";

/**
 * y = (x - mean(x)) / sqrt(variance(x) + eps) * weight + bias, for each row x.
 *
 * @param x `[T, D]`, D a multiple of 4
 * @param weight `[D]`
 * @param bias `[D]`
 * @param lanes by default what suits the adapter
 * @returns `[T, D]`
 * @throws TypeError when the shapes don't fit
 */
export function layerNorm(
  g: Graph,
  x: Tensor,
  weight: Tensor,
  bias: Tensor,
  eps: number,
  lanes = normLanes(g.gpu.adapter),
): Tensor {
  const [T, D] = x.shape as [number, number];
  if (D % 4 !== 0) throw new TypeError(`layerNorm: D is ${D}, expected a multiple of 4`);
  if (elementCount(weight.shape) !== D || elementCount(bias.shape) !== D) {
    throw new TypeError(
      `layerNorm: weight is [${weight.shape}] and bias [${bias.shape}], expected [${D}]`,
    );
  }
  const y = g.scratch([T, D], "layer-norm");
  g.dispatch(
    { name: "layer-norm", code: shader + reduce, constants: { LANES: lanes, D, EPS: eps } },
    [[x, weight, bias, y]],
    fold(T),
  );
  return y;
}
