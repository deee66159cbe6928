import * as z from "zod/mini";
import { type Tensor, reshape } from "../gpu/tensor.ts";
import { gatherRows } from "../ops/gather-rows.ts";
import { interpolateRows } from "../ops/interpolate-rows.ts";
import { type Kept, keptFeatures } from "./anyres.ts";
import { parseConfig } from "./config.ts";
import { llama } from "./llama.ts";
import { onevisionProcessor } from "./llava-onevision-processor.ts";
import { llavaRename } from "./llava-rename.ts";
import { mlp } from "./mlp.ts";
import type { Family, ImageLayout, VisionTable } from "./model.ts";
import { siglip } from "./siglip.ts";
import { tileRows } from "./tile-rows.ts";

/** The fields of config.json, with the defaults of transformers' LLaVA-OneVision and SigLIP. */
const Config = z.object({
  projector_hidden_act: z._default(z.literal("gelu"), "gelu"),
  vision_feature_layer: z._default(z.int().check(z.negative()), -1),
  vision_feature_select_strategy: z._default(z.literal("full"), "full"),
  vision_config: z.object({
    hidden_size: z.int(),
    num_hidden_layers: z.int(),
    num_attention_heads: z.int(),
    layer_norm_eps: z._default(z.number(), 1e-6),
    hidden_act: z._default(z.literal("gelu_pytorch_tanh"), "gelu_pytorch_tanh"),
  }),
});

/**
 * LLaVA-OneVision (arXiv 2408.03326): SigLIP without its last norm, a projector of two layers, and
 * Qwen2. The tiles' features are put together to one image, without what is padding, and shrunk
 * where there are many; a learned row ends each of its lines.
 */
export const llavaOnevision: Family = (files, options) => {
  const { vision_config, vision_feature_layer } = parseConfig(Config, files);
  const tower = {
    ...vision_config,
    num_hidden_layers: vision_config.num_hidden_layers + 1 + vision_feature_layer,
    hidden_act: "gelu_tanh" as const,
  };
  const processor = onevisionProcessor(files, options);
  const { side, maxFeatures } = processor;
  return {
    ...llama(files, "model.language_model"),
    processor,
    rename: llavaRename,
    patchesPerRow: 1,
    imageStates: 1,

    visionPass: (_, tiles) => ({
      P: tiles * side ** 2,
      tables: { rows: tileRows(tiles, side ** 2, tiles * side ** 2) },
    }),

    vision(g, w, patches, { rows }) {
      const x = siglip(g, w.under("model.vision_tower"), tower, patches, rows as Tensor);
      const projector = w.under("model.multi_modal_projector");
      return [mlp(g, projector, g.capture("connector_in", x), ["linear_1", "linear_2"])];
    },

    packing: {
      tables: (layout) => assemblyTables(layout, side, maxFeatures),

      record(g, w, rows, { indices, weights, lines }) {
        const features = interpolateRows(g, rows, indices as Tensor, weights as Tensor);
        const newline = w.vector("model.image_newline"); // [D]
        return gatherRows(g, features, lines as Tensor, {
          more: reshape(newline, [1, rows.shape[1] as number]),
        });
      },
    },
  };
};

/**
 * What an assembly reads: `indices` and `weights` `[F, 4]` make the features of the whole image and
 * then of its canvas out of the tiles' rows, `lines` `[N]` orders them; its index F is a newline.
 */
function assemblyTables(
  { size: [width, height], tiles, rows, cols }: ImageLayout,
  side: number,
  maxFeatures: number,
): Record<string, VisionTable> {
  const tileFeatures = side ** 2;
  const indices: number[] = [];
  const weights: number[] = [];
  const lines: number[] = [];
  for (let i = 0; i < tileFeatures; i++) {
    indices.push(i, i, i, i);
    weights.push(1, 0, 0, 0);
    lines.push(i);
  }
  if (tiles.length === 1) {
    lines.push(tileFeatures);
  } else {
    const grid = { width: cols * side, height: rows * side };
    const kept = keptFeatures({ width, height }, grid, maxFeatures);
    const { shrunk } = kept;
    const F = tileFeatures + shrunk.width * shrunk.height;
    for (let y = 0; y < shrunk.height; y++) {
      for (let x = 0; x < shrunk.width; x++) {
        lines.push(indices.length / 4);
        const taps = bilinearTaps(kept, x, y);
        for (const { x, y, weight } of taps) {
          const tile = 1 + Math.floor(y / side) * cols + Math.floor(x / side);
          indices.push(tile * tileFeatures + (y % side) * side + (x % side));
          weights.push(weight);
        }
      }
      lines.push(F);
    }
  }
  const F = indices.length / 4;
  return {
    indices: { shape: [F, 4], data: Uint32Array.from(indices) },
    weights: { shape: [F, 4], data: Float32Array.from(weights) },
    lines: { shape: [lines.length], data: Uint32Array.from(lines) },
  };
}

/** The four features of the canvas around a shrunk one, as torch's bilinear `interpolate` has them. */
function bilinearTaps(kept: Kept, x: number, y: number) {
  const along = (i: number, length: number, target: number) => {
    const place = Math.max(0, (length / target) * (i + 0.5) - 0.5);
    const low = Math.floor(place);
    return { low, high: Math.min(low + 1, length - 1), share: place - low };
  };
  const across = along(x, kept.width, kept.shrunk.width);
  const down = along(y, kept.height, kept.shrunk.height);
  return [
    { at: [across.low, down.low], weight: (1 - across.share) * (1 - down.share) },
    { at: [across.high, down.low], weight: across.share * (1 - down.share) },
    { at: [across.low, down.high], weight: (1 - across.share) * down.share },
    { at: [across.high, down.high], weight: across.share * down.share },
  ].map(({ at: [x = 0, y = 0], weight }) => ({ x: kept.x + x, y: kept.y + y, weight }));
}
