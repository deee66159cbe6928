import * as z from "zod/mini";
import { StoredSize, activation, checkSizes, checkWidth, parseConfig } from "./config.ts";
import { dense, embedPatches, mlp, norm } from "./layers.ts";
import type { Family } from "./model.ts";
import { blockOrder, mergeBlocks, patchBucket } from "./patch-blocks.ts";
import { QWEN2, qwenBase } from "./qwen-vl-text.ts";
import { TowerFields, patchRows, towerAttention } from "./qwen-vl-vision.ts";

/** The fields of config.json, with the defaults of transformers' class. */
const Config = z.object({
  vision_config: z.object({
    ...TowerFields,
    depth: z._default(z.int(), 32),
    hidden_act: activation("quick_gelu"),
    embed_dim: StoredSize,
    hidden_size: StoredSize,
    mlp_ratio: StoredSize,
  }),
});

const EPS = 1e-6;

/** Qwen2-VL (arXiv 2409.12191): a tower with 2-D RoPE, patches merged 2x2, Qwen2 with M-RoPE. */
export const qwen2Vl: Family<"rows"> = (files, options) => {
  const { vision_config: tower } = parseConfig(Config, files);
  const merge = tower.spatial_merge_size;
  return {
    ...qwenBase(files, options, merge, QWEN2),
    imageStates: 1,

    visionPass(layout) {
      const patches = blockOrder(layout, merge);
      const P = patchBucket(patches.length, merge ** 2);
      return { P, tables: { rows: patchRows(patches, () => [0, patches.length - 1], P) } };
    },

    vision(g, w, patches, { rows }) {
      const v = w.under("model.visual");
      let x = embedPatches(g, v.under("patch_embed.proj"), patches); // [P, tower D]
      for (let i = 0; i < tower.depth; i++) {
        const b = v.under(`blocks.${i}`);
        const h = norm(g, b.under("norm1"), x, EPS);
        x = towerAttention(g, b.under("attn"), rows, x, h, tower);
        const m = norm(g, b.under("norm2"), x, EPS);
        const f = dense(g, b.under("mlp.fc1"), m, { activation: tower.hidden_act }); // [P, F]
        const [D, F] = [x, f].map(({ shape }) => shape[1] as number) as [number, number];
        checkSizes("vision_config", tower, { embed_dim: D, mlp_ratio: F / D });
        checkWidth("vision_config.embed_dim * mlp_ratio", F);
        x = g.capture(`vision.${i}`, dense(g, b.under("mlp.fc2"), f, { residual: x }));
      }
      const merger = v.part("connector").under("merger");
      const normed = norm(g, merger.under("ln_q"), g.capture("vision", x), EPS);
      const merged = mlp(g, merger, ["mlp.0", "mlp.2"], mergeBlocks(normed, merge));
      checkSizes("vision_config", tower, { hidden_size: merged.shape[1] });
      return [merged];
    },
  };
};
