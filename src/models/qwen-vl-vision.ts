import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { attention } from "../ops/attention.ts";
import type { Rope } from "../ops/rope-append.ts";
import { ropeQkv } from "../ops/rope-qkv.ts";
import { IDLE_ROW, ROW_WORDS, writeRow } from "../ops/row.ts";
import { dense } from "./layers.ts";
import type { VisionTable, Weights } from "./model.ts";
import { inverseFrequencies, rope } from "./rope.ts";

/** `rope_theta` of the towers' 2-D RoPE. */
const THETA = 10_000;

/**
 * Patch rows `[P, ROW_WORDS]` for patches that attend to ranges of patches. The rows beyond the
 * patches are idle.
 *
 * @param range returns the first and the last patch that the i-th patch attends to
 */
export function patchRows(
  patches: readonly { y: number; x: number }[],
  range: (i: number) => readonly [first: number, last: number],
  P: number,
): VisionTable {
  const data = new Uint32Array(P * ROW_WORDS);
  for (let i = 0; i < P; i++) {
    const patch = patches[i];
    if (!patch) {
      writeRow(data, i, IDLE_ROW);
      continue;
    }
    const [first, last] = range(i);
    writeRow(data, i, {
      ...IDLE_ROW,
      rope: [0, patch.y, patch.x],
      first,
      last,
      windowFirst: first,
    });
  }
  return { shape: [P, ROW_WORDS], data };
}

/** 2-D RoPE: the first half of the channel pairs rotates by the row of a patch, the other by its column. */
function towerRope(g: Graph, C: number): Rope {
  const half = inverseFrequencies(THETA, C / 2);
  const axes = [...half.map(() => 1), ...half.map(() => 2)];
  return rope(g, { frequencies: [...half, ...half], axes });
}

/**
 * Self-attention of a tower's block.
 *
 * @param w with the block's `qkv` and `proj`
 * @param rows patch rows `[P, ROW_WORDS]`
 * @param x residual `[P, D]`
 * @param h normed `[P, D]`
 * @param H heads
 * @returns x + attention, `[P, D]`
 */
export function towerAttention(
  g: Graph,
  w: Weights,
  rows: Tensor,
  x: Tensor,
  h: Tensor,
  H: number,
): Tensor {
  const C = (x.shape[1] as number) / H;
  const heads = { H, K: H, C };
  const qkv = ropeQkv(g, rows, dense(g, w.under("qkv"), h), towerRope(g, C), heads); // [P, 3 * H * C]
  const mixed = attention(g, rows, qkv, { kind: "flat", qkv }, { ...heads, scale: C ** -0.5 });
  return dense(g, w.under("proj"), mixed, { residual: x });
}
