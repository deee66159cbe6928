import * as z from "zod/mini";
import type { Tensor } from "../gpu/tensor.ts";
import { averagePool } from "../ops/average-pool.ts";
import { layerNorm } from "../ops/layer-norm.ts";
import { linear } from "../ops/linear.ts";
import { rmsNorm } from "../ops/rms-norm.ts";
import { transposed } from "../weights/transposed.ts";
import { parseConfig } from "./config.ts";
import { gemma3Processor } from "./gemma3-processor.ts";
import { gemma3Text } from "./gemma3-text.ts";
import { llavaRename } from "./llava-rename.ts";
import type { Family } from "./model.ts";
import { siglip } from "./siglip.ts";
import { tileRows } from "./tile-rows.ts";

/** The fields of config.json, with the defaults of transformers' Gemma 3 and SigLIP classes. */
const Config = z.object({
  mm_tokens_per_image: z._default(z.int(), 256),
  vision_config: z.object({
    hidden_size: z._default(z.int(), 768),
    image_size: z._default(z.int(), 224),
    patch_size: z._default(z.int(), 16),
    num_hidden_layers: z._default(z.int(), 12),
    num_attention_heads: z._default(z.int(), 12),
    layer_norm_eps: z._default(z.number(), 1e-6),
    hidden_act: z._default(z.literal("gelu_pytorch_tanh"), "gelu_pytorch_tanh"),
  }),
});

/**
 * Gemma 3 (arXiv 2503.19786): SigLIP, whose patches are averaged in blocks, a norm and one matrix,
 * and a decoder in which most layers attend to a window. Rows of an image attend to one another.
 */
export const gemma3: Family = (files, options) => {
  const { vision_config, mm_tokens_per_image } = parseConfig(Config, files);
  const tower = { ...vision_config, hidden_act: "gelu_tanh" as const };
  const side = Math.floor(tower.image_size / tower.patch_size); // patches a tile is wide
  const rowsSide = Math.sqrt(mm_tokens_per_image);
  const block = side / rowsSide;
  if (!Number.isInteger(block)) {
    throw new Error(
      `config.json: mm_tokens_per_image: ${side} x ${side} patches can't become ${mm_tokens_per_image}`,
    );
  }
  return {
    ...gemma3Text(files, "model.language_model"),
    processor: gemma3Processor(files, options),
    rename: llavaRename,
    patchesPerRow: block ** 2,
    bidirectional: "images",
    imageStates: 1,

    visionPass: (_, tiles) => ({
      P: tiles * side ** 2,
      tables: { rows: tileRows(tiles, side ** 2, tiles * side ** 2) },
    }),

    vision(g, w, patches, { rows }) {
      const v = w.under("model.vision_tower");
      const x = siglip(g, v, tower, patches, rows as Tensor); // [P, vision D]
      const post = v.under("post_layernorm");
      const eps = tower.layer_norm_eps;
      const normed = layerNorm(g, x, post.vector("weight"), post.vector("bias"), eps);
      const pooled = averagePool(g, g.capture("vision", normed), side, block);
      const projector = w.under("model.multi_modal_projector");
      const norm = projector.vector("mm_soft_emb_norm.weight");
      const states = rmsNorm(g, pooled, norm, eps, { offset: 1 });
      return [linear(g, states, transposed(projector.vector("mm_input_projection_weight")))];
    },
  };
};
