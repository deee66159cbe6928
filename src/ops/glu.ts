import shader from "../../shaders/glu.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { ACTIVATIONS, type Activation } from "./activation.ts";
import { fold } from "./grid.ts";

/**
 * y = activation(gate) * up, a gated linear unit (arXiv 2002.05202). "silu" makes it SwiGLU,
 * "gelu_tanh" GeGLU.
 *
 * @param gateUp `[T, 2F]`, gate before up; F a multiple of 4
 * @returns `[T, F]`
 * @throws TypeError when F is not a multiple of 4
 */
export function glu(g: Graph, gateUp: Tensor, activation: Activation): Tensor {
  const [T, width] = gateUp.shape as [number, number];
  if (width % 8 !== 0)
    throw new TypeError(`glu: gateUp is [${gateUp.shape}], expected rows of a multiple of 8`);
  const F = width / 2;
  const y = g.scratch([T, F], "glu");
  g.dispatch(
    { name: `glu ${activation}`, code: shader + ACTIVATIONS[activation], constants: { F } },
    [[gateUp, y]],
    fold(Math.ceil((T * F) / 4 / 64)),
  );
  return y;
}
