import row from "../../shaders/lib/row.wgsl?raw";
import inputs from "../../shaders/lib/short-conv.wgsl?raw";
import keep from "../../shaders/short-conv-keep.wgsl?raw";
import shader from "../../shaders/short-conv.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import { type Tensor, elementCount } from "../gpu/tensor.ts";
import { type ConvCache, convStateRows } from "./cache.ts";
import { fold } from "./grid.ts";

/**
 * y = c * conv(b * x), LFM2's gated causal convolution over L positions, per channel. It reads its
 * input at earlier positions from earlier rows or from the cache, and writes to the cache what later
 * passes need. A row whose position is `NOWHERE` writes nothing, and gives zeros.
 *
 * @param rows `[T, ROW_WORDS]` u32; rows of a sequence are neighbours, in the order of their positions
 * @param bcx `[T, 3D]`: b, c, x; D a multiple of 4
 * @param weight `[D, 1, L]`, the weights of each channel: the earliest position first, its own last; L
 *   is the cache's `kept` + 1, or 1
 * @returns `[T, D]`
 * @throws TypeError when the shapes don't fit
 */
export function shortConv(
  g: Graph,
  rows: Tensor,
  bcx: Tensor,
  weight: Tensor,
  { states, kept, pageTable }: ConvCache,
): Tensor {
  const [T, width] = bcx.shape as [number, number];
  const D = width / 3;
  if (D % 4 !== 0) {
    throw new TypeError(`shortConv: bcx is [${bcx.shape}], expected [T, 3D], D a multiple of 4`);
  }
  const L = elementCount(weight.shape) / D;
  if (rows.shape[0] !== T || convStateRows(L) !== kept || states.shape[1] !== D) {
    throw new TypeError(
      `shortConv: rows are [${rows.shape}], weight [${weight.shape}] and states ` +
        `[${states.shape}], expected [${T}, ...], [${D}, 1, ${kept + 1}] and [..., ${D}]`,
    );
  }
  const constants = { D, KEPT: kept, MAX_PAGES: pageTable.shape[1] as number };
  const code = row + inputs;
  const grid = fold(Math.ceil((T * D) / 4 / 64));
  const y = g.scratch([T, D], "short-conv");
  g.dispatch(
    {
      name: "short-conv",
      code: shader + code,
      constants: { ...constants, L, ALONE: Number(T === 1) },
    },
    [
      [rows, bcx, weight, y],
      [states, pageTable],
    ],
    grid,
  );
  if (T === 1) return y;
  g.dispatch(
    { name: "short-conv-keep", code: keep + code, constants },
    [
      [rows, bcx],
      [states, pageTable],
    ],
    grid,
  );
  return y;
}
