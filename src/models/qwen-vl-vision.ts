import * as z from "zod/mini";
import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { attention } from "../ops/attention.ts";
import type { Rope } from "../ops/rope-append.ts";
import { ropeQkv } from "../ops/rope-qkv.ts";
import { IDLE_ROW, ROW_WORDS, writeRow } from "../ops/row.ts";
import { Channels, StoredSize, checkHeads, checkSizes, supportsOnly } from "./config.ts";
import { dense } from "./layers.ts";
import type { VisionTable, Weights } from "./model.ts";
import { inverseFrequencies, rope } from "./rope.ts";

/** The fields of a tower's `vision_config` that all Qwen-VL have, with the defaults of transformers. */
export const TowerFields = {
  num_heads: z._default(z.int(), 16),
  spatial_merge_size: z._default(z.int(), 2),
  in_channels: Channels,
  head_dim: StoredSize,
  rope_theta: z._default(z.number(), 10_000),
  /** Written by transformers 5. */
  rope_parameters: z.nullish(
    z.object({
      rope_type: z.nullish(z.literal(["axial", "default"])),
      rope_theta: z.nullish(z.number()),
    }),
  ),
  rope_scaling: supportsOnly(null),
  // Other names in transformers of `num_heads` and `depth`, which no file has.
  num_attention_heads: supportsOnly(null),
  num_hidden_layers: supportsOnly(null),
};

/** The fields that `towerAttention` reads. */
interface Tower {
  readonly num_heads: number;
  readonly head_dim?: number | null | undefined;
  readonly rope_theta: number;
  readonly rope_parameters?: { readonly rope_theta?: number | null | undefined } | null | undefined;
}

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
function towerRope(g: Graph, { rope_theta, rope_parameters }: Tower, C: number): Rope {
  const half = inverseFrequencies(rope_parameters?.rope_theta ?? rope_theta, C / 2);
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
 * @returns x + attention, `[P, D]`
 */
export function towerAttention(
  g: Graph,
  w: Weights,
  rows: Tensor,
  x: Tensor,
  h: Tensor,
  c: Tower,
): Tensor {
  const H = c.num_heads;
  const C = (x.shape[1] as number) / H;
  checkSizes("vision_config", c, { head_dim: C });
  checkHeads("vision_config.hidden_size / num_heads", C, 8);
  const heads = { H, K: H, C };
  const qkv = ropeQkv(g, rows, dense(g, w.under("qkv"), h), towerRope(g, c, C), heads); // [P, 3 * H * C]
  const mixed = attention(g, rows, qkv, { kind: "flat", qkv }, { ...heads, scale: C ** -0.5 });
  return dense(g, w.under("proj"), mixed, { residual: x });
}
