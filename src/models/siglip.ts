import * as z from "zod/mini";
import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { Channels, StoredSize, activation } from "./config.ts";
import { type EncoderConfig, encoder } from "./encoder.ts";
import { embedPatches, norm } from "./layers.ts";
import type { VisionPass, VisionTensors, Weights } from "./model.ts";
import { tileRows } from "./tile-rows.ts";

/** The fields of a SigLIP tower's `vision_config`, with the defaults of transformers' class. */
export const SiglipFields = {
  hidden_size: z._default(z.int(), 768),
  num_hidden_layers: z._default(z.int(), 12),
  num_attention_heads: z._default(z.int(), 12),
  layer_norm_eps: z._default(z.number(), 1e-6),
  hidden_act: activation("gelu_pytorch_tanh"),
  intermediate_size: StoredSize,
  num_channels: Channels,
};

/**
 * A pass of `siglip` over some tiles.
 *
 * @param tilePatches patches of each tile
 */
export function siglipPass(tiles: number, tilePatches: number): VisionPass<"rows"> {
  const P = tiles * tilePatches;
  return { P, tables: { rows: tileRows(tiles, tilePatches, P) } };
}

/**
 * SigLIP's vision transformer (arXiv 2303.15343): every patch attends to all patches of its tile.
 *
 * @param patches `[P, channels * patchSize²]`
 * @param tables those of `siglipPass`
 * @returns hidden states before the post-layernorm, `[P, D]`
 */
export function siglip(
  g: Graph,
  w: Weights,
  c: EncoderConfig,
  patches: Tensor,
  { rows }: VisionTensors<"rows">,
): Tensor {
  const e = w.under("embeddings");
  const x = embedPatches(g, e.under("patch_embedding"), patches, {
    residual: e.vector("position_embedding.weight"), // [tilePatches, D], the same for every tile
  });
  return encoder(g, w.under("encoder"), c, rows, x);
}

/** The norm after the tower's last layer: `[P, D]` to `[P, D]`. */
export function postLayernorm(g: Graph, w: Weights, c: EncoderConfig, x: Tensor): Tensor {
  return norm(g, w.under("post_layernorm"), x, c.layer_norm_eps);
}
