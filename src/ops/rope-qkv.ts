import rotation from "../../shaders/lib/rope.wgsl?raw";
import row from "../../shaders/lib/row.wgsl?raw";
import sinCos from "../../shaders/lib/sin-cos.wgsl?raw";
import shader from "../../shaders/rope-qkv.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { fold } from "./grid.ts";
import { type Heads, type Rope, checkRope } from "./rope-append.ts";

/**
 * Rotates queries and keys by RoPE, and copies the values. For attention without a cache.
 *
 * @param rows `[P, ROW_WORDS]` u32
 * @param qkv `[P, (H + 2K) * C]`: queries, keys, values; C a multiple of 8
 * @returns `[P, (H + 2K) * C]`
 * @throws TypeError when the shapes don't fit
 */
export function ropeQkv(g: Graph, rows: Tensor, qkv: Tensor, rope: Rope, heads: Heads): Tensor {
  checkRope("ropeQkv", rows, qkv, rope, heads);
  const { H, K, C } = heads;
  const [P] = qkv.shape as [number];
  const y = g.scratch(qkv.shape, "rope-qkv");
  g.dispatch(
    { name: "rope-qkv", code: shader + rotation + row + sinCos, constants: { H, K, C } },
    [[rows, qkv, rope.inverseFrequencies, rope.axes, y]],
    fold(Math.ceil((P * (H + 2 * K) * (C / 8)) / 64)),
  );
  return y;
}
