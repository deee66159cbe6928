import shader from "../../shaders/mask-logits.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";

const LANES = 64;

/** @returns the words of a token mask over a vocabulary of `V` tokens */
export function maskWords(V: number): number {
  return Math.ceil(V / 32);
}

/**
 * Lowers the logits of tokens that may not be sampled, below every logit that `adjustLogits` returns:
 * the stop tokens that it holds back come first.
 *
 * @param logits `[B, V]`
 * @param mask `[B, maskWords(V)]` u32; bit `id % 32` of word `id / 32` is 1 if token `id` may be sampled
 * @returns `[B, V]`
 * @throws TypeError when the shapes don't fit
 */
export function maskLogits(g: Graph, logits: Tensor, mask: Tensor): Tensor {
  const [B, V] = logits.shape as [number, number];
  const wanted = [B, maskWords(V)];
  if (`${mask.shape}` !== `${wanted}`) {
    throw new TypeError(`maskLogits: ${mask.label} is [${mask.shape}], expected [${wanted}]`);
  }
  const y = g.scratch([B, V], "masked logits");
  g.dispatch({ name: "mask-logits", code: shader }, [[logits, mask, y]], [Math.ceil(V / LANES), B]);
  return y;
}
