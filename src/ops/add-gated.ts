import shader from "../../shaders/add-gated.wgsl?raw";
import afterImageRows from "../../shaders/gates/after-image.wgsl?raw";
import allRows from "../../shaders/gates/all-rows.wgsl?raw";
import row from "../../shaders/lib/row.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import { type Tensor, elementCount } from "../gpu/tensor.ts";
import { fold } from "./grid.ts";
import { ROW_WORDS } from "./row.ts";

export interface GateOptions {
  /** Multiply by 1 - tanh(gate) instead. Default false. */
  readonly complement?: boolean;
  /** `[T, ROW_WORDS]` u32: add b only to rows at or after an image. Default: to all rows. */
  readonly afterImage?: Tensor;
}

/**
 * y = a + tanh(gate) * b.
 *
 * @param a `[T, D]`
 * @param b `[T, D]`
 * @param gate `[1]`
 * @returns `[T, D]`
 * @throws TypeError when the shapes don't fit
 */
export function addGated(
  g: Graph,
  a: Tensor,
  b: Tensor,
  gate: Tensor,
  { complement = false, afterImage }: GateOptions = {},
): Tensor {
  const [T, D] = a.shape as [number, number];
  if (b.shape[0] !== T || b.shape[1] !== D || elementCount(gate.shape) !== 1) {
    throw new TypeError(
      `addGated: b is [${b.shape}] and gate [${gate.shape}], expected [${[T, D]}] and [1]`,
    );
  }
  if (afterImage && `${afterImage.shape}` !== `${[T, ROW_WORDS]}`) {
    throw new TypeError(
      `addGated: afterImage is [${afterImage.shape}], expected [${[T, ROW_WORDS]}]`,
    );
  }
  const y = g.scratch(a.shape, "add-gated");
  g.dispatch(
    {
      name: "add-gated",
      code: shader + (afterImage ? row + afterImageRows : allRows),
      constants: { D, COMPLEMENT: Number(complement) },
    },
    [[a, b, gate, y], ...(afterImage ? [[afterImage]] : [])],
    fold(Math.ceil((T * D) / 64)),
  );
  return y;
}
