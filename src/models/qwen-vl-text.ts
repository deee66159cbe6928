import * as z from "zod/mini";
import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { addImageRows } from "../ops/add-image-rows.ts";
import type { LayerCache } from "../ops/cache.ts";
import { embed } from "../ops/embed.ts";
import { linear } from "../ops/linear.ts";
import { rmsNorm } from "../ops/rms-norm.ts";
import { parse } from "./config.ts";
import { type DecoderLayerConfig, decoderLayer } from "./decoder.ts";
import type {
  CheckpointFiles,
  ImageLayout,
  Model,
  ModelOptions,
  PromptPositions,
  Weights,
} from "./model.ts";
import { qwenVlProcessor } from "./qwen-vl-processor.ts";
import { ropeTables } from "./rope.ts";

const Rope = z.object({
  rope_theta: z.optional(z.number()),
  mrope_section: z.optional(z.array(z.int())),
  mrope_interleaved: z.optional(z.boolean()),
});

const Text = z.object({
  vocab_size: z.int(),
  hidden_size: z.int(),
  num_hidden_layers: z.int(),
  num_attention_heads: z.int(),
  num_key_value_heads: z.int(),
  head_dim: z.optional(z.int()),
  rms_norm_eps: z._default(z.number(), 1e-6),
  max_position_embeddings: z._default(z.int(), 32_768),
  rope_theta: z.optional(z.number()),
  rope_scaling: z.optional(z.nullable(Rope)),
  rope_parameters: z.optional(Rope),
  hidden_act: z._default(z.literal("silu"), "silu"),
});

const Tied = z.object({ tie_word_embeddings: z._default(z.boolean(), false) });

interface QwenTextConfig extends DecoderLayerConfig {
  readonly rope_theta: number;
  /** `[C / 2]`: which of a row's three positions each channel pair turns by. */
  readonly axes: readonly number[];
  readonly tie_word_embeddings: boolean;
}

/** Reads the text side's configuration, nested in `text_config` or flat beside the rest. */
function qwenTextConfig(files: CheckpointFiles): QwenTextConfig {
  const config = files["config.json"] as { text_config?: object };
  const text = parse(Text, "text_config" in config ? config.text_config : config, "text_config");
  const scaling = { ...text.rope_scaling, ...text.rope_parameters };
  const C = text.head_dim ?? text.hidden_size / text.num_attention_heads;
  const { mrope_section = [C / 2], mrope_interleaved = false } = scaling;
  return {
    ...text,
    head_dim: C,
    rope_theta: scaling.rope_theta ?? text.rope_theta ?? 1_000_000,
    axes: mrope_interleaved ? interleavedAxes(mrope_section, C / 2) : chunkedAxes(mrope_section),
    tie_word_embeddings: parse(Tied, config, "config").tie_word_embeddings,
  };
}

/** M-RoPE of Qwen2-VL (arXiv 2409.12191 §3.1): runs of channel pairs. */
function chunkedAxes(section: readonly number[]): number[] {
  return section.flatMap((pairs, axis) => new Array<number>(pairs).fill(axis));
}

/** M-RoPE of Qwen3-VL: height and width take every third pair, as far as their sections go. */
function interleavedAxes([, height = 0, width = 0]: readonly number[], pairs: number): number[] {
  return Array.from({ length: pairs }, (_, c) => {
    if (c % 3 === 1 && c < 3 * height) return 1;
    return c % 3 === 2 && c < 3 * width ? 2 : 0;
  });
}

/**
 * Embedding and decoder layers; image states beyond the embeddings are added to the image rows
 * after the first layers (DeepStack, arXiv 2406.04334).
 *
 * @param w of the language model
 * @returns hidden states `[T, D]`, before the final norm
 */
function qwenText(
  g: Graph,
  w: Weights,
  c: QwenTextConfig,
  rows: Tensor,
  [images, ...deeper]: readonly Tensor[],
  cache: readonly LayerCache[],
): Tensor {
  const inputs = { rows, rope: ropeTables(g, c.rope_theta, c.head_dim, c.axes) };
  let x = g.capture("embeds", embed(g, rows, w.matrix("embed_tokens.weight"), images as Tensor));
  cache.forEach((layerCache, i) => {
    const layer = w.under(`layers.${i}`);
    x = g.capture(`hidden.${i}`, decoderLayer(g, layer, c, inputs, layerCache, x));
    const states = deeper[i];
    if (states) x = addImageRows(g, rows, x, states, c.vocab_size);
  });
  return x;
}

/**
 * Text advances all three positions by one a token; an image stays at one temporal position and
 * lays its rows out by height and width from there (M-RoPE, arXiv 2409.12191 §3.1).
 */
function mropePositions(
  ids: readonly number[],
  images: readonly ImageLayout[],
  imageTokenId: number,
  merge: number,
): PromptPositions {
  const positions = new Uint32Array(ids.length * 3);
  let next = 0;
  let image = 0;
  for (let i = 0; i < ids.length;) {
    const layout = ids[i] === imageTokenId ? images[image++] : undefined;
    if (!layout) {
      positions.fill(next++, 3 * i, 3 * i + 3);
      i++;
      continue;
    }
    const [height, width] = layout.grid.map((patches) => patches / merge) as [number, number];
    for (let row = 0; row < height * width; row++, i++) {
      positions.set([next, next + Math.floor(row / width), next + (row % width)], 3 * i);
    }
    next += Math.max(height, width);
  }
  return { positions, offset: next - ids.length };
}

/** All of a Qwen-VL model but its tower: what the family's members have in common. */
export type QwenLanguage = Omit<Model, "imageStates" | "visionPass" | "vision">;

/** @param merge patches that become one image row, by height and by width */
export function qwenLanguage(
  files: CheckpointFiles,
  options: ModelOptions | undefined,
  merge: number,
): QwenLanguage {
  const config = qwenTextConfig(files);
  const processor = qwenVlProcessor(files, options);
  return {
    text: config,
    processor,
    patchesPerRow: merge ** 2,
    rename: qwenRename,
    promptPositions: (ids, images) => mropePositions(ids, images, processor.imageTokenId, merge),
    forward: (g, w, rows, images, cache) =>
      qwenText(g, w.under("model.language_model"), config, rows, images, cache),
    head(g, w, hidden) {
      const text = w.under("model.language_model");
      const x = rmsNorm(g, hidden, text.vector("norm.weight"), config.rms_norm_eps);
      const tied = config.tie_word_embeddings || !w.has("lm_head.weight");
      return linear(g, x, tied ? text.matrix("embed_tokens.weight") : w.matrix("lm_head.weight"));
    },
  };
}

/** Names of published checkpoints for the names that a model goes by here. */
function qwenRename(name: string): string {
  return name.replace(/^model\.language_model\./, "model.").replace(/^model\.visual\./, "visual.");
}
