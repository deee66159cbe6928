import * as z from "zod/mini";
import type { Tensor } from "../gpu/tensor.ts";
import { layerNorm } from "../ops/layer-norm.ts";
import { linear } from "../ops/linear.ts";
import { parseConfig } from "./config.ts";
import { gemma2Text } from "./gemma2-text.ts";
import { gemma } from "./gemma.ts";
import { llavaRename } from "./llava-rename.ts";
import type { Family } from "./model.ts";
import { paligemmaProcessor } from "./paligemma-processor.ts";
import { siglip } from "./siglip.ts";
import { tileRows } from "./tile-rows.ts";

/** The fields of config.json, with the defaults of transformers' PaliGemma and SigLIP classes. */
const Config = z.object({
  text_config: z.object({ model_type: z._default(z.enum(["gemma", "gemma2"]), "gemma") }),
  vision_config: z.object({
    model_type: z._default(z.literal("siglip_vision_model"), "siglip_vision_model"),
    hidden_size: z._default(z.int(), 768),
    num_hidden_layers: z._default(z.int(), 12),
    num_attention_heads: z._default(z.int(), 12),
    layer_norm_eps: z._default(z.number(), 1e-6),
    hidden_act: z._default(z.literal("gelu_pytorch_tanh"), "gelu_pytorch_tanh"),
  }),
});

/**
 * PaliGemma (arXiv 2407.07726) and PaliGemma 2 (arXiv 2412.03555): SigLIP, one linear layer, and Gemma
 * or Gemma 2, in which all of a prompt attends to all of it. Their positions are one more than ours,
 * which makes no difference to RoPE.
 */
export const paligemma: Family = (files) => {
  const { text_config, vision_config } = parseConfig(Config, files);
  const decoder = text_config.model_type === "gemma2" ? gemma2Text : gemma;
  const tower = { ...vision_config, hidden_act: "gelu_tanh" as const };
  return {
    ...decoder(files, "model.language_model"),
    processor: paligemmaProcessor(files),
    rename: llavaRename,
    bidirectional: "prompt",
    patchesPerRow: 1,
    imageStates: 1,

    visionPass: ({ grid: [height, width] }, tiles) => ({
      P: tiles * height * width,
      tables: { rows: tileRows(tiles, height * width, tiles * height * width) },
    }),

    vision(g, w, patches, { rows }) {
      const v = w.under("model.vision_tower");
      const x = siglip(g, v, tower, patches, rows as Tensor); // [P, vision D]
      const norm = v.under("post_layernorm");
      const states = g.capture(
        "vision",
        layerNorm(g, x, norm.vector("weight"), norm.vector("bias"), tower.layer_norm_eps),
      );
      const projector = w.under("model.multi_modal_projector.linear");
      return [linear(g, states, projector.matrix("weight"), { bias: projector.vector("bias") })];
    },
  };
};
