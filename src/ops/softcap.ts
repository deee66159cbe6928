import shader from "../../shaders/softcap.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import { type Tensor, elementCount } from "../gpu/tensor.ts";
import { fold } from "./grid.ts";

/**
 * y = cap * tanh(x / cap), which is nearly x for small x and never beyond ±cap (arXiv 2408.00118).
 *
 * @param x `[T, D]`
 * @returns `[T, D]`
 */
export function softcap(g: Graph, x: Tensor, cap: number): Tensor {
  const y = g.scratch(x.shape, "softcap");
  g.dispatch(
    { name: "softcap", code: shader, constants: { CAP: cap } },
    [[x, y]],
    fold(Math.ceil(elementCount(x.shape) / 64)),
  );
  return y;
}
