import shader from "../../shaders/average-pool.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { fold } from "./grid.ts";

/**
 * The mean over each s x s block of positions of a square feature map, per channel.
 *
 * @param x `[B * side * side, C]`, C a multiple of 4
 * @param s positions along one side of a block; divides `side`
 * @returns `[B * (side / s)², C]`
 * @throws TypeError when the shapes don't fit
 */
export function averagePool(g: Graph, x: Tensor, side: number, s: number): Tensor {
  const [P, C] = x.shape as [number, number];
  if (C % 4 !== 0) throw new TypeError(`averagePool: C is ${C}, expected a multiple of 4`);
  if (side % s !== 0 || P % (side * side) !== 0) {
    throw new TypeError(
      `averagePool: x is [${x.shape}], expected [B * ${side} * ${side}, C], and s, ${s}, dividing ${side}`,
    );
  }
  const y = g.scratch([P / (s * s), C], "average-pool");
  g.dispatch(
    { name: "average-pool", code: shader, constants: { C, SIDE: side, S: s } },
    [[x, y]],
    fold(Math.ceil((P * C) / (s * s) / 4 / 64)),
  );
  return y;
}
