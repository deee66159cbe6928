import reduce from "../../shaders/lib/reduce.wgsl?raw";
import shader from "../../shaders/qkv-norm.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import { type Tensor, elementCount } from "../gpu/tensor.ts";
import { fold } from "./grid.ts";
import { normLanes } from "./norm-lanes.ts";

/**
 * RMSNorm of all queries of a row, and of all its keys, before they are split into heads:
 * x / sqrt(mean(x²) + eps) * weight. Values are copied.
 *
 * @param qkv `[T, 3 * D]`: queries, keys, values; D a multiple of 4
 * @param qWeight `[D]`
 * @param kWeight `[D]`
 * @param lanes by default what suits the adapter
 * @returns `[T, 3 * D]`
 * @throws TypeError when the shapes don't fit
 */
export function qkvNorm(
  g: Graph,
  qkv: Tensor,
  qWeight: Tensor,
  kWeight: Tensor,
  eps: number,
  lanes = normLanes(g.gpu.adapter),
): Tensor {
  const [T, width] = qkv.shape as [number, number];
  const D = width / 3;
  if (D % 4 !== 0) {
    throw new TypeError(`qkvNorm: qkv is [${qkv.shape}], expected a multiple of 12 columns`);
  }
  if (elementCount(qWeight.shape) !== D || elementCount(kWeight.shape) !== D) {
    throw new TypeError(
      `qkvNorm: weights are [${qWeight.shape}] and [${kWeight.shape}], expected [${D}]`,
    );
  }
  const y = g.scratch(qkv.shape, "qkv-norm");
  g.dispatch(
    { name: "qkv-norm", code: shader + reduce, constants: { LANES: lanes, D, EPS: eps } },
    [[qkv, qWeight, kWeight, y]],
    fold(T * 3),
  );
  return y;
}
