import shader from "../../shaders/join-channels.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { fold } from "./grid.ts";

/** The rows to join: `start ..< start + count`. */
export interface JoinedRows {
  readonly start: number;
  readonly count: number;
}

/**
 * Concatenates the channels of x and of `others`. Those of `others` are interleaved: the first channel
 * of each, then the second of each, and so on.
 *
 * @param x `[T, D]`
 * @param others each `[at least T, E]`
 * @returns `[count, D + others.length * E]`
 * @throws TypeError when the shapes don't fit
 */
export function joinChannels(
  g: Graph,
  x: Tensor,
  others: readonly Tensor[],
  { start, count }: JoinedRows,
): Tensor {
  const [T, D] = x.shape as [number, number];
  const E = others[0]?.shape[1] ?? 0;
  const fits = others.every(({ shape: [rows = 0, width] }) => rows >= T && width === E);
  if (!fits || start + count > T) {
    throw new TypeError(
      `joinChannels: others are ${others.map(({ shape }) => `[${shape}]`).join(", ")}, ` +
        `expected [at least ${T}, ${E}], and rows ${start} ..< ${start + count} within ${T}`,
    );
  }
  const WIDTH = D + others.length * E;
  const y = g.scratch([count, WIDTH], "join-channels");
  const put = (from: Tensor, width: number, OFFSET: number, STRIDE: number): void => {
    const constants = { D: width, WIDTH, OFFSET, STRIDE, START: start };
    const kernel = { name: "join-channels", code: shader, constants };
    g.dispatch(kernel, [[from, y]], fold(Math.ceil((count * width) / 64)));
  };
  put(x, D, 0, 1);
  others.forEach((other, i) => put(other, E, D + i, others.length));
  return y;
}
