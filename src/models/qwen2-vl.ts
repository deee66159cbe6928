import * as z from "zod/mini";
import type { Tensor } from "../gpu/tensor.ts";
import { layerNorm } from "../ops/layer-norm.ts";
import { linear } from "../ops/linear.ts";
import { parseConfig } from "./config.ts";
import { mlp } from "./mlp.ts";
import type { Family } from "./model.ts";
import { blockOrder, mergeBlocks, patchBucket } from "./patch-blocks.ts";
import { qwenLanguage } from "./qwen-vl-text.ts";
import { patchRows, towerAttention } from "./qwen-vl-vision.ts";

const Config = z.object({
  vision_config: z.object({
    depth: z._default(z.int(), 32),
    num_heads: z._default(z.int(), 16),
    spatial_merge_size: z._default(z.int(), 2),
    hidden_act: z._default(z.literal("quick_gelu"), "quick_gelu"),
  }),
});

const EPS = 1e-6;

/** Qwen2-VL (arXiv 2409.12191): a tower with 2-D RoPE, patches merged 2x2, Qwen2 with M-RoPE. */
export const qwen2Vl: Family = (files, options) => {
  const { vision_config: tower } = parseConfig(Config, files);
  const merge = tower.spatial_merge_size;
  return {
    ...qwenLanguage(files, options, merge),
    imageStates: 1,

    visionPass(layout) {
      const patches = blockOrder(layout, merge);
      const P = patchBucket(patches.length);
      return { P, tables: { rows: patchRows(patches, () => [0, patches.length - 1], P) } };
    },

    vision(g, w, patches, tables) {
      const v = w.under("model.visual");
      let x = linear(g, patches, v.matrix("patch_embed.proj.weight")); // [P, tower D]
      for (let i = 0; i < tower.depth; i++) {
        const b = v.under(`blocks.${i}`);
        const h = layerNorm(g, x, b.vector("norm1.weight"), b.vector("norm1.bias"), EPS);
        x = towerAttention(g, b.under("attn"), tables.rows as Tensor, x, h, tower.num_heads);
        const m = layerNorm(g, x, b.vector("norm2.weight"), b.vector("norm2.bias"), EPS);
        const f = linear(g, m, b.matrix("mlp.fc1.weight"), {
          bias: b.vector("mlp.fc1.bias"),
          activation: tower.hidden_act,
        }); // [P, F]
        const bias = b.vector("mlp.fc2.bias");
        x = g.capture(
          `vision.${i}`,
          linear(g, f, b.matrix("mlp.fc2.weight"), { bias, residual: x }),
        );
      }
      const merger = v.under("merger");
      const norm = merger.under("ln_q");
      const normed = layerNorm(
        g,
        g.capture("vision", x),
        norm.vector("weight"),
        norm.vector("bias"),
        EPS,
      );
      return [mlp(g, merger, mergeBlocks(normed, merge), ["mlp.0", "mlp.2"])];
    },
  };
};
