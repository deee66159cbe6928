import * as z from "zod/mini";
import type { Graph } from "../gpu/graph.ts";
import { type Tensor, reshape } from "../gpu/tensor.ts";
import { addGated } from "../ops/add-gated.ts";
import { attention } from "../ops/attention.ts";
import { embed } from "../ops/embed.ts";
import { rmsNorm } from "../ops/rms-norm.ts";
import {
  Channels,
  StoredSize,
  activation,
  checkSame,
  checkSizes,
  supportsOnly,
  parseConfig,
} from "./config.ts";
import { decoderLayer } from "./decoder.ts";
import { dense, gatedMlp, mlpSizes, rms } from "./layers.ts";
import {
  LLAMA_DEFAULTS,
  type LlamaConfig,
  type LlamaDefaults,
  llamaConfig,
} from "./llama-config.ts";
import { llamaDecoder } from "./llama.ts";
import { tokenEmbeddings } from "./lm-head.ts";
import { canvasGrids, mllamaProcessor } from "./mllama-processor.ts";
import {
  type MllamaTable,
  mllamaPass,
  mllamaTower,
  projectStates,
  towerRows,
} from "./mllama-vision.ts";
import type { Family, Weights } from "./model.ts";
import { rope } from "./rope.ts";
import { llavaNames } from "./stored-names.ts";

/** The fields of config.json, with the defaults of transformers' Mllama classes. */
const Config = z.object({
  text_config: z.object({
    cross_attention_layers: z._default(z.array(z.int()), [3, 8, 13, 18, 23, 28, 33, 38]),
    sliding_window: supportsOnly(null),
  }),
  vision_config: z.object({
    hidden_size: z._default(z.int(), 1280),
    num_hidden_layers: z._default(z.int(), 32),
    num_global_layers: z._default(z.int(), 8),
    attention_heads: z._default(z.int(), 16),
    norm_eps: z._default(z.number(), 1e-5),
    hidden_act: activation("gelu"),
    intermediate_size: StoredSize,
    num_channels: Channels,
    vision_output_dim: StoredSize,
    max_aspect_ratio_id: StoredSize,
    // Another name in transformers of `attention_heads`, which no file has.
    num_attention_heads: supportsOnly(null),
    image_size: z._default(z.int(), 448),
    patch_size: z._default(z.int(), 14),
    max_num_tiles: z._default(z.int(), 4),
    intermediate_layers_indices: z._default(z.array(z.int()), [3, 7, 15, 23, 30]),
    supported_aspect_ratios: z.optional(z.nullable(z.array(z.tuple([z.int(), z.int()])))),
  }),
});

/** The defaults of transformers' Mllama text class. */
const TEXT_DEFAULTS: LlamaDefaults = {
  ...LLAMA_DEFAULTS,
  vocab_size: 128_256,
  num_hidden_layers: 40,
  num_key_value_heads: 8,
  rms_norm_eps: 1e-5,
  rope_theta: 500_000,
  max_position_embeddings: 131_072,
};

/** Embeddings beyond `vocab_size`, of the image token and others. */
const MORE_EMBEDDINGS = 8;

/** Names among the weights. */
const DECODER = "model.language_model";
const TOWER = "model.vision_model";
const PROJECTOR = "model.multi_modal_projector";

/**
 * Llama 3.2 Vision (arXiv 2407.21783): Llama 3.1 with cross-attention layers between its own layers,
 * and a tower of its own.
 */
export const mllama: Family<MllamaTable> = (files) => {
  const { text_config, vision_config } = parseConfig(Config, files);
  const { cross_attention_layers: crossLayers } = text_config;
  const text = llamaConfig(files, TEXT_DEFAULTS);
  const num_kv_layers = text.num_hidden_layers - crossLayers.length;
  const { max_num_tiles, norm_eps, attention_heads, image_size, patch_size } = vision_config;
  const grids = canvasGrids(max_num_tiles);
  checkRatios(vision_config.supported_aspect_ratios, grids);
  const field = "config.json: vision_config.max_aspect_ratio_id";
  checkSame(field, vision_config.max_aspect_ratio_id, grids.length, "max_num_tiles");
  checkLayers("text_config.cross_attention_layers", crossLayers, text.num_hidden_layers);
  const { intermediate_layers_indices: captured, num_hidden_layers } = vision_config;
  checkLayers("vision_config.intermediate_layers_indices", captured, num_hidden_layers);
  const tower = {
    ...vision_config,
    num_attention_heads: attention_heads,
    heads: "attention_heads",
    layer_norm_eps: norm_eps,
    side: Math.floor(image_size / patch_size),
    ratios: grids.length + 1,
  };
  const rows = towerRows(tower);
  return {
    ...llamaDecoder(text, DECODER),
    text: { ...text, num_kv_layers },
    processor: mllamaProcessor(files),
    storedNames: llavaNames,
    patchesPerRow: 1,
    imageStates: 2 * crossLayers.length,
    crossAttention: { rows, width: text.num_key_value_heads * text.head_dim },

    visionPass({ grid }) {
      const canvas = { rows: grid[0] / tower.side, cols: grid[1] / tower.side };
      const same = (other: typeof canvas) => `${other.rows} ${other.cols}`;
      const ratio = 1 + grids.findIndex((other) => same(other) === same(canvas));
      return mllamaPass(tower, canvas, ratio);
    },

    *vision(g, w, patches, tables) {
      const states = mllamaTower(g, w.under(TOWER), tower, patches, tables);
      const projector = w.part("connector").under(PROJECTOR);
      const projected = projectStates(g, projector, states, rows);
      const vision_output_dim = projector.matrix("weight").shape[1];
      checkSizes("vision_config", vision_config, { vision_output_dim });
      const embeds = g.capture("image_embeds", projected); // [rows, D]
      for (const i of crossLayers) {
        const layer = w.part("text").under(`${DECODER}.layers.${i}.cross_attn`);
        const keys = dense(g, layer.under("k_proj"), embeds);
        yield headNorm(g, layer.vector("k_norm.weight"), keys, text);
        yield dense(g, layer.under("v_proj"), embeds);
      }
    },

    forward(g, w, inputRows, images, cache) {
      const decoder = w.under(DECODER);
      const inputs = { rows: inputRows, rope: rope(g, text.rope) };
      const vocab_size = text.vocab_size + MORE_EMBEDDINGS;
      let x = embed(g, inputRows, tokenEmbeddings(decoder, { ...text, vocab_size }));
      let [next, nextCross] = [0, 0];
      for (let i = 0; i < text.num_hidden_layers; i++) {
        const layer = decoder.under(`layers.${i}`);
        if (crossLayers.includes(i)) {
          const [keys, values] = images.slice(nextCross, (nextCross += 2)) as [Tensor, Tensor];
          x = crossLayer(g, layer, text, inputRows, { keys, values }, x);
        } else {
          x = decoderLayer(g, layer, text, inputs, cache[next++] as (typeof cache)[number], x);
        }
        g.capture(`hidden.${i}`, x);
      }
      return x;
    },
  };
};

/**
 * A cross-attention layer. A prompt without images passes unchanged. For tokens before the first
 * image the second half adds nothing, as in the reference.
 *
 * @param rows token rows `[T, ROW_WORDS]`
 * @param images keys and values of the images, each `[N, K * C]`
 * @param x `[T, D]`
 * @returns `[T, D]`
 */
function crossLayer(
  g: Graph,
  w: Weights,
  c: LlamaConfig,
  rows: Tensor,
  images: { readonly keys: Tensor; readonly values: Tensor },
  x: Tensor,
): Tensor {
  const eps = c.rms_norm_eps;
  const heads = { H: c.num_attention_heads, K: c.num_key_value_heads, C: c.head_dim };
  const a = w.under("cross_attn");
  const projected = dense(g, a.under("q_proj"), x, { norm: rms(w, "input_layernorm", eps) });
  const q = headNorm(g, a.vector("q_norm.weight"), projected, c);
  const scale = c.head_dim ** -0.5;
  const mixed = attention(g, rows, q, { kind: "cross-attention", ...images }, { ...heads, scale });
  const attended = dense(g, a.under("o_proj"), mixed);
  x = addGated(g, x, attended, w.vector("cross_attn_attn_gate"));

  const norm = rms(w, "post_attention_layernorm", eps);
  const f = gatedMlp(g, w.under("mlp"), x, c.hidden_act, { norm });
  checkSizes("text_config", c, mlpSizes(w.under("mlp")));
  return addGated(g, x, f, w.vector("cross_attn_mlp_gate"), { afterImage: rows });
}

/**
 * RMSNorm of each head.
 *
 * @param weight `[C]`
 * @param x `[T, heads * C]`
 * @returns `[T, heads * C]`
 */
function headNorm(g: Graph, weight: Tensor, x: Tensor, c: LlamaConfig): Tensor {
  const [T, width] = x.shape as [number, number];
  const heads = reshape(x, [(T * width) / c.head_dim, c.head_dim]);
  return reshape(rmsNorm(g, heads, weight, c.rms_norm_eps), [T, width]);
}

/** Throws Error for the index of a layer that does not exist. */
function checkLayers(field: string, layers: readonly number[], count: number): void {
  const wrong = layers.find((layer) => layer < 0 || layer >= count);
  if (wrong === undefined) return;
  throw new Error(`config.json: ${field}: ${wrong}, expected a layer from 0 to ${count - 1}`);
}

/** Aspect ratio ids count all grids. Throws Error when the config has another list of grids. */
function checkRatios(
  ratios: readonly (readonly number[])[] | null | undefined,
  grids: readonly { readonly rows: number; readonly cols: number }[],
): void {
  const expected = grids.map(({ rows, cols }) => [rows, cols]);
  if (!ratios || JSON.stringify(ratios) === JSON.stringify(expected)) return;
  throw new Error(
    `config.json: vision_config.supported_aspect_ratios: expected ${JSON.stringify(expected)}, by max_num_tiles`,
  );
}
