import * as z from "zod/mini";
import { reshape } from "../gpu/tensor.ts";
import { gatherRows } from "../ops/gather-rows.ts";
import { interpolateRows } from "../ops/interpolate-rows.ts";
import { type KeptFeatures, keptFeatures } from "./anyres.ts";
import { activation, supportsOnly, parseConfig } from "./config.ts";
import { layersUpTo } from "./encoder.ts";
import { llama } from "./llama.ts";
import { onevisionProcessor } from "./llava-onevision-processor.ts";
import { llavaProjector } from "./llava-projector.ts";
import type { Family, ImageLayout, ImagePacking, VisionTable } from "./model.ts";
import { SiglipFields, siglip, siglipPass } from "./siglip.ts";
import { llavaNames } from "./stored-names.ts";

/** The fields of config.json, with the defaults of transformers' LLaVA-OneVision and SigLIP. */
const Config = z.object({
  projector_hidden_act: activation("gelu"),
  multimodal_projector_bias: z._default(z.boolean(), true),
  vision_feature_layer: z._default(z.int().check(z.negative()), -1),
  vision_feature_select_strategy: supportsOnly("full"),
  vision_config: z.object({
    ...SiglipFields,
    hidden_size: z.int(),
    num_hidden_layers: z.int(),
    num_attention_heads: z.int(),
  }),
});

/**
 * LLaVA-OneVision (arXiv 2408.03326): SigLIP without its last norm, an MLP, and Qwen2. The tiles'
 * features are packed into one image: padding is cut off, large images are shrunk, and a learned row
 * ends each line.
 */
export const llavaOnevision: Family<"rows"> = (files, options) => {
  const config = parseConfig(Config, files);
  const { vision_config, vision_feature_layer } = config;
  const num_hidden_layers = layersUpTo(vision_config, vision_feature_layer);
  const tower = { ...vision_config, num_hidden_layers };
  const processor = onevisionProcessor(files, options);
  const { side, maxFeatures } = processor;
  return {
    ...llama(files, "model.language_model", "qwen2"),
    processor,
    storedNames: llavaNames,
    patchesPerRow: 1,
    imageStates: 1,

    visionPass: (_, tiles) => siglipPass(tiles, side ** 2),

    vision(g, w, patches, tables) {
      const x = siglip(g, w.under("model.vision_tower"), tower, patches, tables);
      return [llavaProjector(g, w, config, g.capture("connector_in", x))];
    },

    packing: packing(side, maxFeatures),
  };
};

/**
 * @param side features along a tile's edge
 * @param maxFeatures features of the canvas, from which on it is shrunk
 */
function packing(side: number, maxFeatures: number): ImagePacking<keyof PackingTables> {
  return {
    tables: (layout) => packingTables(layout, side, maxFeatures),

    record(g, w, rows, { indices, weights, lines }) {
      const features = interpolateRows(g, rows, indices, weights); // [F, D]
      const newline = w.part("connector").vector("model.image_newline"); // [D]
      const D = rows.shape[1] as number;
      return gatherRows(g, features, lines, { more: reshape(newline, [1, D]) });
    },
  };
}

interface PackingTables {
  /** `[F, 4]`: the tiles' rows that each feature is interpolated from. */
  readonly indices: VisionTable;
  /** `[F, 4]` */
  readonly weights: VisionTable;
  /** `[N]`: the features in the order of the image rows; F is the row that ends a line. */
  readonly lines: VisionTable;
}

/** The features are those of the whole image, followed by those of its canvas. */
function packingTables(
  { size: [width, height], tiles, rows, cols }: ImageLayout,
  side: number,
  maxFeatures: number,
): PackingTables {
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
        for (const source of interpolationOf(kept, x, y)) {
          const tile = 1 + Math.floor(source.y / side) * cols + Math.floor(source.x / side);
          indices.push(tile * tileFeatures + (source.y % side) * side + (source.x % side));
          weights.push(source.weight);
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

/** The four features that a shrunk one is interpolated from, as in torch's bilinear `interpolate`. */
function interpolationOf(kept: KeptFeatures, x: number, y: number) {
  const along = (i: number, length: number, target: number) => {
    const position = Math.max(0, (length / target) * (i + 0.5) - 0.5);
    const low = Math.floor(position);
    return { low, high: Math.min(low + 1, length - 1), share: position - low };
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
