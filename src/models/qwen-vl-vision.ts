import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { attention } from "../ops/attention.ts";
import { linear } from "../ops/linear.ts";
import type { Rope } from "../ops/rope-append.ts";
import { ropeQkv } from "../ops/rope-qkv.ts";
import { IDLE_ROW, ROW_WORDS, writeRow } from "../ops/row.ts";
import type { VisionTable, Weights } from "./model.ts";
import { rope } from "./rope.ts";

/** Rotary base of the towers' 2-D RoPE. */
const THETA = 10_000;

/**
 * Rows `[P, ROW_WORDS]` of patches that attend to ranges of patches, idle beyond them.
 *
 * @param range first and last patch that the i-th one attends to
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

/** 2-D RoPE of the towers: the first half of the channel pairs turns by rows, the other by columns. */
export function towerRope(g: Graph, C: number): Rope {
  const half = Array.from({ length: C / 4 }, (_, c) => THETA ** ((-4 * c) / C));
  const axes = [...half.map(() => 1), ...half.map(() => 2)];
  return rope(g, [...half, ...half], axes);
}

/**
 * Self-attention of a tower's block.
 *
 * @param w of `attn`
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
  const fused = linear(g, h, w.matrix("qkv.weight"), { bias: w.vector("qkv.bias") });
  const qkv = ropeQkv(g, rows, fused, towerRope(g, C), heads); // [P, 3 * H * C]
  const mixed = attention(g, rows, qkv, { kind: "flat", qkv }, { ...heads, scale: C ** -0.5 });
  return linear(g, mixed, w.matrix("proj.weight"), { bias: w.vector("proj.bias"), residual: x });
}
