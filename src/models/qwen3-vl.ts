import * as z from "zod/mini";
import type { Tensor } from "../gpu/tensor.ts";
import { interpolateRows } from "../ops/interpolate-rows.ts";
import { StoredSize, activation, checkSizes, checkWidth, parseConfig } from "./config.ts";
import { dense, embedPatches, mlp, norm } from "./layers.ts";
import type { Family, ImageLayout, VisionTable } from "./model.ts";
import { blockOrder, mergeBlocks, patchBucket } from "./patch-blocks.ts";
import { QWEN3, qwenBase } from "./qwen-vl-text.ts";
import { TowerFields, patchRows, towerAttention } from "./qwen-vl-vision.ts";

/** The fields of config.json, with the defaults of transformers' class. */
const Config = z.object({
  vision_config: z.object({
    ...TowerFields,
    depth: z._default(z.int(), 27),
    num_position_embeddings: z._default(z.int(), 2304),
    deepstack_visual_indexes: z._default(z.array(z.int()), [8, 16, 24]),
    hidden_act: activation("gelu_pytorch_tanh"),
    hidden_size: StoredSize,
    intermediate_size: StoredSize,
    out_hidden_size: StoredSize,
  }),
});

const EPS = 1e-6;

type Table = "rows" | "position_indices" | "position_weights";

/**
 * Qwen3-VL (arXiv 2511.21631): a tower whose learned positions are resampled to the image, patches
 * merged 2x2, and Qwen3 with M-RoPE and DeepStack.
 */
export const qwen3Vl: Family<Table> = (files, options) => {
  const { vision_config: tower } = parseConfig(Config, files);
  const merge = tower.spatial_merge_size;
  const side = Math.floor(Math.sqrt(tower.num_position_embeddings));
  const { deepstack_visual_indexes: taps, depth } = tower;
  return {
    ...qwenBase(files, options, merge, QWEN3),
    imageStates: 1 + new Set(taps.filter((layer) => layer >= 0 && layer < depth)).size,

    visionPass(layout) {
      const patches = blockOrder(layout, merge);
      const P = patchBucket(patches.length, merge ** 2);
      return {
        P,
        tables: {
          rows: patchRows(patches, () => [0, patches.length - 1], P),
          ...interpolatePositions(layout, patches, side, P),
        },
      };
    },

    vision(g, w, patches, { rows, position_indices, position_weights }) {
      const v = w.under("model.visual");
      const learned = v.vector("pos_embed.weight"); // [side², tower D]
      let x = embedPatches(g, v.under("patch_embed.proj"), patches, {
        residual: interpolateRows(g, learned, position_indices, position_weights),
      }); // [P, tower D]
      const deepstack: Tensor[] = [];
      for (let i = 0; i < depth; i++) {
        const b = v.under(`blocks.${i}`);
        const h = norm(g, b.under("norm1"), x, EPS);
        x = towerAttention(g, b.under("attn"), rows, x, h, tower);
        const m = norm(g, b.under("norm2"), x, EPS);
        const f = dense(g, b.under("mlp.linear_fc1"), m, { activation: tower.hidden_act }); // [P, F]
        checkWidth("vision_config.intermediate_size", f.shape[1] as number);
        x = g.capture(`vision.${i}`, dense(g, b.under("mlp.linear_fc2"), f, { residual: x }));
        const [hidden_size, intermediate_size] = [x.shape[1], f.shape[1]];
        checkSizes("vision_config", tower, { hidden_size, intermediate_size });
        // A merger belongs to an index, but the text layers get the states in the order of the tower's.
        const index = taps.indexOf(i);
        if (index >= 0) {
          const merger = v.part("connector").under(`deepstack_merger_list.${index}`);
          const normed = norm(g, merger.under("norm"), mergeBlocks(x, merge), EPS);
          deepstack.push(mlp(g, merger, ["linear_fc1", "linear_fc2"], normed));
        }
      }
      const merger = v.part("connector").under("merger");
      const normed = norm(g, merger.under("norm"), g.capture("vision", x), EPS);
      const merged = mlp(g, merger, ["linear_fc1", "linear_fc2"], mergeBlocks(normed, merge));
      checkSizes("vision_config", tower, {
        num_position_embeddings: learned.shape[0],
        out_hidden_size: merged.shape[1],
      });
      return [merged, ...deepstack];
    },
  };
};

/**
 * How each patch's position is interpolated from four of the side x side learned ones: their indices
 * and weights, `[P, 4]` each. The corners of both grids coincide.
 */
function interpolatePositions(
  { grid: [height, width] }: ImageLayout,
  patches: readonly { y: number; x: number }[],
  side: number,
  P: number,
): { position_indices: VisionTable; position_weights: VisionTable } {
  const indices = new Uint32Array(P * 4);
  const weights = new Float32Array(P * 4);
  const along = (
    i: number,
    length: number,
  ): readonly [low: number, high: number, share: number] => {
    const position = length > 1 ? (i * (side - 1)) / (length - 1) : 0;
    const low = Math.floor(position);
    return [low, Math.min(low + 1, side - 1), position - low];
  };
  patches.forEach(({ y, x }, i) => {
    const [top, bottom, down] = along(y, height);
    const [left, right, across] = along(x, width);
    indices.set(
      [top * side + left, top * side + right, bottom * side + left, bottom * side + right],
      4 * i,
    );
    weights.set(
      [(1 - down) * (1 - across), (1 - down) * across, down * (1 - across), down * across],
      4 * i,
    );
  });
  return {
    position_indices: { shape: [P, 4], data: indices },
    position_weights: { shape: [P, 4], data: weights },
  };
}
