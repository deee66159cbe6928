import shader from "../../shaders/space-to-depth.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { fold } from "./grid.ts";

/**
 * Joins each s x s block of positions of a square feature map into one position. Channel
 * (dy * s + dx) * C + c of the result is channel c of position (dy, dx) of the block. Hugging Face's
 * Idefics3 and SmolVLM call it `pixel_shuffle`.
 *
 * @param x `[B * side * side, C]`, C a multiple of 4
 * @param s positions along one side of a block; divides `side`
 * @returns `[B * (side / s)², C * s * s]`
 * @throws TypeError when the shapes don't fit
 */
export function spaceToDepth(g: Graph, x: Tensor, side: number, s: number): Tensor {
  const [P, C] = x.shape as [number, number];
  if (C % 4 !== 0) throw new TypeError(`spaceToDepth: C is ${C}, expected a multiple of 4`);
  if (side % s !== 0 || P % (side * side) !== 0) {
    throw new TypeError(
      `spaceToDepth: x is [${x.shape}], expected [B * ${side} * ${side}, C], and s, ${s}, dividing ${side}`,
    );
  }
  const y = g.scratch([P / (s * s), C * s * s], "space-to-depth");
  g.dispatch(
    { name: "space-to-depth", code: shader, constants: { C, SIDE: side, S: s } },
    [[x, y]],
    fold(Math.ceil((P * C) / 4 / 64)),
  );
  return y;
}
