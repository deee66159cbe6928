import shader from "../../shaders/glu.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { ACTIVATIONS, type Activation } from "./activation.ts";
import { fold } from "./grid.ts";

/**
 * y = activation(gate) * up, a gated linear unit (arXiv 2002.05202): SwiGLU by "silu", GeGLU by
 * "gelu_tanh".
 *
 * @param gateUp `[T, 2F]`, the gate's channels before the other's; F a multiple of 4
 * @returns `[T, F]`
 * @throws TypeError when F is not a multiple of 4
 */
export function glu(g: Graph, gateUp: Tensor, activation: Activation): Tensor {
  const [T, width] = gateUp.shape as [number, number];
  if (width % 8 !== 0) throw new TypeError(`glu: 2F is ${width}, expected a multiple of 8`);
  const F = width / 2;
  const y = g.scratch([T, F], "glu");
  g.dispatch(
    { name: `glu ${activation}`, code: shader + ACTIVATIONS[activation], constants: { F } },
    [[gateUp, y]],
    fold(Math.ceil((T * F) / 4 / 64)),
  );
  return y;
}
