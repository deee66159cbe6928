import noResidual from "../../shaders/epilogue/no-residual.wgsl?raw";
import residualCode from "../../shaders/epilogue/residual.wgsl?raw";
import reduce from "../../shaders/lib/reduce.wgsl?raw";
import shader from "../../shaders/rms-norm.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import { type Tensor, elementCount } from "../gpu/tensor.ts";
import { fold } from "./grid.ts";
import { type NormLanes, normLanes } from "./norm-lanes.ts";

/** A norm and its settings, for ops that norm what they read or write. */
export interface RmsNorm {
  /** As long as the rows. */
  readonly weight: Tensor;
  readonly eps: number;
  /** 1 for checkpoints that store weight - 1, as Gemma's do. Default 0. */
  readonly offset?: 0 | 1;
}

export interface RmsNormOptions {
  /** Added to the weight. 1 for checkpoints that store weight - 1, as Gemma's do. Default 0. */
  readonly offset?: 0 | 1;
  /** `[T, D]`, which is added to the normed rows. Default: none. */
  readonly residual?: Tensor | undefined;
  /** Default: what suits the adapter. */
  readonly lanes?: NormLanes;
}

/**
 * y = x / sqrt(mean(x²) + eps) * (weight + offset) + residual, for each row x.
 *
 * @param x `[T, D]`, D a multiple of 4
 * @param weight `[D]`
 * @returns `[T, D]`
 * @throws TypeError when the shapes don't fit
 */
export function rmsNorm(
  g: Graph,
  x: Tensor,
  weight: Tensor,
  eps: number,
  { offset = 0, residual, lanes = normLanes(g.gpu.adapter) }: RmsNormOptions = {},
): Tensor {
  const [T, D] = x.shape as [number, number];
  if (D % 4 !== 0) throw new TypeError(`rmsNorm: D is ${D}, expected a multiple of 4`);
  if (elementCount(weight.shape) !== D) {
    throw new TypeError(`rmsNorm: weight is [${weight.shape}], expected [${D}]`);
  }
  if (residual && elementCount(residual.shape) !== T * D) {
    throw new TypeError(`rmsNorm: residual is [${residual.shape}], expected [${[T, D]}]`);
  }
  const y = g.scratch([T, D], "rms-norm");
  const constants = { LANES: lanes, D, EPS: eps, OFFSET: offset };
  g.dispatch(
    { name: "rms-norm", code: shader + reduce + (residual ? residualCode : noResidual), constants },
    [[x, weight, y], [], [], residual ? [residual] : []],
    fold(T),
  );
  return y;
}
