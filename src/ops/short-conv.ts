import row from "../../shaders/lib/row.wgsl?raw";
import inputs from "../../shaders/lib/short-conv.wgsl?raw";
import keep from "../../shaders/short-conv-keep.wgsl?raw";
import shader from "../../shaders/short-conv.wgsl?raw";
import type { Graph } from "../gpu/graph.ts";
import { type Tensor, elementCount } from "../gpu/tensor.ts";
import type { ConvCache } from "./cache.ts";
import { fold } from "./grid.ts";

/**
 * y = c * conv(b * x): LFM2's gated causal convolution over three positions, channel by channel. What
 * it needs of earlier positions is in the rows before or in the cache; it keeps there what later
 * positions need. A row whose position is `NOWHERE` keeps nothing, and comes out 0.
 *
 * @param rows `[T, ROW_WORDS]` u32; those of a sequence in a row, one position after another
 * @param bcx `[T, 3D]`: b, c, x; D a multiple of 4
 * @param weight `[D, 1, 3]`, the taps of each channel: two positions before, one before, its own
 * @returns `[T, D]`
 * @throws TypeError when the shapes don't fit
 */
export function shortConv(
  g: Graph,
  rows: Tensor,
  bcx: Tensor,
  weight: Tensor,
  { states, pageTable }: ConvCache,
): Tensor {
  const [T, width] = bcx.shape as [number, number];
  const D = width / 3;
  if (D % 4 !== 0) {
    throw new TypeError(`shortConv: bcx is [${bcx.shape}], expected [T, 3D], D a multiple of 4`);
  }
  if (rows.shape[0] !== T || elementCount(weight.shape) !== 3 * D || states.shape[1] !== D) {
    throw new TypeError(
      `shortConv: rows are [${rows.shape}], weight [${weight.shape}] and states ` +
        `[${states.shape}], expected [${T}, ...], [${D}, 1, 3] and [..., ${D}]`,
    );
  }
  const constants = { D, MAX_PAGES: pageTable.shape[1] as number };
  const code = row + inputs;
  const grid = fold(Math.ceil((T * D) / 4 / 64));
  const y = g.scratch([T, D], "short-conv");
  g.dispatch(
    {
      name: "short-conv",
      code: shader + code,
      constants: { ...constants, ALONE: Number(T === 1) },
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
