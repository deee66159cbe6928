import row from "../../shaders/lib/row.wgsl?raw";
import sinCos from "../../shaders/lib/sin-cos.wgsl?raw";
import shader from "../../shaders/rope-append.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import { type Tensor, elementCount } from "../gpu/tensor.ts";
import type { LayerCache } from "./cache.ts";
import { fold } from "./grid.ts";

/** The heads of an attention layer. */
export interface Heads {
  readonly H: number;
  readonly K: number;
  readonly C: number;
}

/**
 * Rotates queries and keys, and writes keys and values to the cache at each row's position; a row
 * whose position is `NOWHERE` writes none.
 *
 * @param rows `[T, ROW_WORDS]` u32
 * @param qkv `[T, (H + 2K) * C]`: queries, keys, values; C a multiple of 8
 * @param inverseFrequencies `[C / 2]` radians per position, of the channel pair (c, c + C/2); every
 *   RoPE scaling scheme is data here
 * @param axes `[C / 2]` u32: which of `Row.rope` the pair turns by: 0, 1 or 2; all 0 for 1-D RoPE
 * @returns the rotated queries `[T, H * C]`
 * @throws TypeError when the shapes don't fit
 */
export function ropeAppend(
  g: Graph,
  rows: Tensor,
  qkv: Tensor,
  inverseFrequencies: Tensor,
  axes: Tensor,
  { keys, values, pageTable }: LayerCache,
  { H, K, C }: Heads,
): Tensor {
  const [T, width] = qkv.shape as [number, number];
  const [, maxPages] = pageTable.shape as [number, number];
  if (C % 8 !== 0) throw new TypeError(`ropeAppend: C is ${C}, expected a multiple of 8`);
  if (width !== (H + 2 * K) * C || rows.shape[0] !== T) {
    throw new TypeError(
      `ropeAppend: qkv is [${qkv.shape}], expected [${[rows.shape[0], (H + 2 * K) * C]}]`,
    );
  }
  if (elementCount(inverseFrequencies.shape) !== C / 2 || elementCount(axes.shape) !== C / 2) {
    throw new TypeError(
      `ropeAppend: inverseFrequencies is [${inverseFrequencies.shape}] and axes [${axes.shape}], ` +
        `expected [${C / 2}]`,
    );
  }
  if (keys.shape[1] !== K * C || values.shape[1] !== K * C) {
    throw new TypeError(`ropeAppend: cache rows are [${keys.shape[1]}], expected [${K * C}]`);
  }
  const q = g.scratch([T, H * C], "rope-append");
  g.dispatch(
    {
      name: "rope-append",
      code: shader + row + sinCos,
      constants: { H, K, C, MAX_PAGES: maxPages },
    },
    [[rows, qkv, inverseFrequencies, axes, pageTable, q, keys, values]],
    fold(Math.ceil((T * (H + 2 * K) * (C / 8)) / 64)),
  );
  return q;
}
