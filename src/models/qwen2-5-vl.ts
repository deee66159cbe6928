import * as z from "zod/mini";
import { reshape } from "../gpu/tensor.ts";
import { gatherRows } from "../ops/gather-rows.ts";
import { rmsNorm } from "../ops/rms-norm.ts";
import { StoredSize, activation, checkSizes, parseConfig } from "./config.ts";
import { embedPatches, gatedMlp, mlp, mlpSizes, rms } from "./layers.ts";
import type { Family, ImageLayout } from "./model.ts";
import { blockOrder, mergeBlocks, patchBucket } from "./patch-blocks.ts";
import { QWEN2, qwenBase } from "./qwen-vl-text.ts";
import { TowerFields, patchRows, towerAttention } from "./qwen-vl-vision.ts";

/** The fields of config.json, with the defaults of transformers' class. */
const Config = z.object({
  vision_config: z.object({
    ...TowerFields,
    depth: z._default(z.int(), 32),
    patch_size: z._default(z.int(), 14),
    window_size: z._default(z.int(), 112),
    fullatt_block_indexes: z._default(z.array(z.int()), [7, 15, 23, 31]),
    hidden_act: activation("silu"),
    hidden_size: StoredSize,
    intermediate_size: StoredSize,
    out_hidden_size: StoredSize,
  }),
});

const EPS = 1e-6;

type Table = "rows" | "window_rows" | "window_order" | "window_position";

/**
 * Qwen2.5-VL (arXiv 2502.13923): a tower in which most layers attend within windows, patches merged
 * 2x2, and Qwen2 with M-RoPE. The patches are ordered window by window, so a window is a range of
 * keys.
 */
export const qwen25Vl: Family<Table> = (files, options) => {
  const { vision_config: tower } = parseConfig(Config, files);
  const merge = tower.spatial_merge_size;
  const unit = merge ** 2;
  const windowSide = Math.floor(tower.window_size / merge / tower.patch_size);
  return {
    ...qwenBase(files, options, merge, QWEN2),
    imageStates: 1,

    visionPass(layout) {
      const windows = windowsOf(layout, merge, windowSide);
      const order = windows.flat();
      const blocks = blockOrder(layout, merge);
      const patches = order.flatMap((block) => blocks.slice(block * unit, (block + 1) * unit));
      const ranges = windows.flatMap((window, i) => {
        const first = windows.slice(0, i).reduce((sum, { length }) => sum + length * unit, 0);
        const range = [first, first + window.length * unit - 1] as const;
        return new Array<typeof range>(window.length * unit).fill(range);
      });
      const P = patchBucket(patches.length, unit);
      const position = new Uint32Array(P / unit);
      order.forEach((block, i) => (position[block] = i));
      const padded = Uint32Array.from({ length: P / unit }, (_, i) => order[i] ?? 0);
      return {
        P,
        tables: {
          rows: patchRows(patches, () => [0, patches.length - 1], P),
          window_rows: patchRows(patches, (i) => ranges[i] as (typeof ranges)[0], P),
          window_order: { shape: [P / unit], data: padded },
          window_position: { shape: [P / unit], data: position },
        },
      };
    },

    vision(g, w, patches, { rows, window_rows, window_order, window_position }) {
      const v = w.under("model.visual");
      const embedded = embedPatches(g, v.under("patch_embed.proj"), patches); // [P, tower D]
      const inWindows = gatherRows(g, mergeBlocks(embedded, merge), window_order);
      let x = reshape(inWindows, embedded.shape);
      for (let i = 0; i < tower.depth; i++) {
        const b = v.under(`blocks.${i}`);
        const ranges = tower.fullatt_block_indexes.includes(i) ? rows : window_rows;
        const h = rmsNorm(g, x, b.vector("norm1.weight"), EPS);
        x = towerAttention(g, b.under("attn"), ranges, x, h, tower);
        const norm = rms(b, "norm2", EPS);
        const y = gatedMlp(g, b.under("mlp"), x, tower.hidden_act, { norm, residual: x });
        x = g.capture(`vision.${i}`, y);
        checkSizes("vision_config", tower, {
          hidden_size: x.shape[1],
          ...mlpSizes(b.under("mlp")),
        });
      }
      const merger = v.part("connector").under("merger");
      const normed = rmsNorm(g, g.capture("vision", x), merger.vector("ln_q.weight"), EPS);
      const merged = mlp(g, merger, ["mlp.0", "mlp.2"], mergeBlocks(normed, merge));
      checkSizes("vision_config", tower, { out_hidden_size: merged.shape[1] });
      return [gatherRows(g, merged, window_position)];
    },
  };
};

/**
 * The blocks of each window. The windows are ordered row by row, and so are the blocks in a window.
 *
 * @param side blocks along a window's edge; windows at the right and lower edge are smaller
 */
function windowsOf({ grid }: ImageLayout, merge: number, side: number): number[][] {
  const [height, width] = grid.map((patches) => patches / merge) as [number, number];
  const windows: number[][] = [];
  for (let top = 0; top < height; top += side) {
    for (let left = 0; left < width; left += side) {
      const blocks: number[] = [];
      for (let y = top; y < Math.min(top + side, height); y++) {
        for (let x = left; x < Math.min(left + side, width); x++) blocks.push(y * width + x);
      }
      windows.push(blocks);
    }
  }
  return windows;
}
