import * as z from "zod/mini";
import type { Tensor } from "../gpu/tensor.ts";
import { interpolateRows } from "../ops/interpolate-rows.ts";
import { layerNorm } from "../ops/layer-norm.ts";
import { linear } from "../ops/linear.ts";
import { parseConfig } from "./config.ts";
import { mlp } from "./mlp.ts";
import type { Family, ImageLayout, VisionTable } from "./model.ts";
import { blockOrder, mergeBlocks, patchBucket } from "./patch-blocks.ts";
import { qwenLanguage } from "./qwen-vl-text.ts";
import { patchRows, towerAttention } from "./qwen-vl-vision.ts";

const Config = z.object({
  vision_config: z.object({
    depth: z._default(z.int(), 27),
    num_heads: z._default(z.int(), 16),
    spatial_merge_size: z._default(z.int(), 2),
    num_position_embeddings: z._default(z.int(), 2304),
    deepstack_visual_indexes: z._default(z.array(z.int()), [8, 16, 24]),
    hidden_act: z._default(z.literal("gelu_pytorch_tanh"), "gelu_pytorch_tanh"),
  }),
});

const EPS = 1e-6;

/** Qwen3-VL (arXiv 2511.21631): learned positions resampled to the image, and DeepStack. */
export const qwen3Vl: Family = (files, options) => {
  const { vision_config: tower } = parseConfig(Config, files);
  const merge = tower.spatial_merge_size;
  const side = Math.sqrt(tower.num_position_embeddings);
  return {
    ...qwenLanguage(files, options, merge),
    imageStates: 1 + tower.deepstack_visual_indexes.length,

    visionPass(layout) {
      const patches = blockOrder(layout, merge);
      const P = patchBucket(patches.length);
      return {
        P,
        tables: {
          rows: patchRows(patches, () => [0, patches.length - 1], P),
          ...positionTaps(layout, patches, side, P),
        },
      };
    },

    vision(g, w, patches, tables) {
      const { rows, position_indices, position_weights } = tables as Record<string, Tensor>;
      const v = w.under("model.visual");
      const positions = interpolateRows(
        g,
        v.vector("pos_embed.weight"),
        position_indices as Tensor,
        position_weights as Tensor,
      ); // [P, tower D]
      let x = linear(g, patches, v.matrix("patch_embed.proj.weight"), {
        bias: v.vector("patch_embed.proj.bias"),
        residual: positions,
      });
      const deeper: Tensor[] = [];
      for (let i = 0; i < tower.depth; i++) {
        const b = v.under(`blocks.${i}`);
        const h = layerNorm(g, x, b.vector("norm1.weight"), b.vector("norm1.bias"), EPS);
        x = towerAttention(g, b.under("attn"), rows as Tensor, x, h, tower.num_heads);
        const m = layerNorm(g, x, b.vector("norm2.weight"), b.vector("norm2.bias"), EPS);
        const f = linear(g, m, b.matrix("mlp.linear_fc1.weight"), {
          bias: b.vector("mlp.linear_fc1.bias"),
          activation: "gelu_tanh",
        }); // [P, F]
        const fc2 = { bias: b.vector("mlp.linear_fc2.bias"), residual: x };
        x = g.capture(`vision.${i}`, linear(g, f, b.matrix("mlp.linear_fc2.weight"), fc2));
        const deep = tower.deepstack_visual_indexes.indexOf(i);
        if (deep >= 0) {
          const d = v.under(`deepstack_merger_list.${deep}`);
          const blocks = mergeBlocks(x, merge);
          const normed = layerNorm(g, blocks, d.vector("norm.weight"), d.vector("norm.bias"), EPS);
          deeper[deep] = mlp(g, d, normed, ["linear_fc1", "linear_fc2"]);
        }
      }
      const last = v.under("merger");
      g.capture("vision", x);
      const normed = layerNorm(g, x, last.vector("norm.weight"), last.vector("norm.bias"), EPS);
      const merged = mlp(g, last, mergeBlocks(normed, merge), ["linear_fc1", "linear_fc2"]);
      return [merged, ...deeper];
    },
  };
};

/** Where each patch lies between four of the side x side learned positions, corners on corners. */
function positionTaps(
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
    const place = length > 1 ? (i * (side - 1)) / (length - 1) : 0;
    const low = Math.floor(place);
    return [low, Math.min(low + 1, side - 1), place - low];
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
