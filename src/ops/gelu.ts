import shader from "../../shaders/gelu.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import { type Tensor, elementCount } from "../gpu/tensor.ts";
import { fold } from "./grid.ts";

/** `KIND` of the shader, by name. Hugging Face calls them gelu_pytorch_tanh, gelu, quick_gelu. */
const KINDS = { tanh: 0, erf: 1, quick: 2 } as const;

export type GeluKind = keyof typeof KINDS;

/**
 * y = x * cdf(x) of the normal distribution, exactly ("erf") or approximated.
 *
 * @param x `[T, D]`, of a multiple of 4 elements
 * @returns `[T, D]`
 * @throws TypeError when the elements are not a multiple of 4
 */
export function gelu(g: Graph, x: Tensor, kind: GeluKind): Tensor {
  const count = elementCount(x.shape);
  if (count % 4 !== 0) throw new TypeError(`gelu: x is [${x.shape}], expected a multiple of 4`);
  const y = g.scratch(x.shape, "gelu");
  g.dispatch(
    { name: "gelu", code: shader, constants: { KIND: KINDS[kind] } },
    [[x, y]],
    fold(Math.ceil(count / 4 / 64)),
  );
  return y;
}
