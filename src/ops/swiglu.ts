import shader from "../../shaders/swiglu.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { fold } from "./grid.ts";

/**
 * y = silu(gate) * up.
 *
 * @param gateUp `[T, 2F]`, the gate's channels before the other's; F a multiple of 4
 * @returns `[T, F]`
 * @throws TypeError when F is not a multiple of 4
 */
export function swiglu(g: Graph, gateUp: Tensor): Tensor {
  const [T, width] = gateUp.shape as [number, number];
  if (width % 8 !== 0) throw new TypeError(`swiglu: 2F is ${width}, expected a multiple of 8`);
  const F = width / 2;
  const y = g.scratch([T, F], "swiglu");
  g.dispatch(
    { name: "swiglu", code: shader, constants: { F } },
    [[gateUp, y]],
    fold(Math.ceil((T * F) / 4 / 64)),
  );
  return y;
}
