import * as z from "zod/mini";
import type { Graph } from "../gpu/graph.ts";
import type { Tensor } from "../gpu/tensor.ts";
import { type ConvCache, type LayerCache, PAGE_TOKENS } from "../ops/cache.ts";
import { embed } from "../ops/embed.ts";
import { shortConv } from "../ops/short-conv.ts";
import {
  Positive,
  StoredSize,
  checkHeads,
  checkSizes,
  checkWidth,
  supportsOnly,
  parseConfig,
} from "./config.ts";
import { type DecoderLayerConfig, decoderLayer, feedForward } from "./decoder.ts";
import { hiddenWeights } from "./hidden-weights.ts";
import { dense, mlpSizes, rms } from "./layers.ts";
import { lmHead, tokenEmbeddings } from "./lm-head.ts";
import type { CheckpointFiles, TextModel, Weights } from "./model.ts";
import { renamedWeights } from "./renamed-weights.ts";
import { ropeFields, ropeSettings } from "./rope-settings.ts";
import { type RopeSettings, rope } from "./rope.ts";

/** The fields of config.json, with the defaults of transformers' LFM2 class. */
const Config = z.object({
  text_config: z.object({
    vocab_size: z._default(z.int(), 65_536),
    hidden_size: z._default(z.int(), 2560),
    num_hidden_layers: z._default(z.int(), 32),
    num_attention_heads: z._default(z.int(), 32),
    num_key_value_heads: z._default(z.int(), 8),
    max_position_embeddings: z._default(z.int(), 128_000),
    norm_eps: z._default(z.number(), 1e-5),
    conv_L_cache: z._default(Positive.check(z.maximum(PAGE_TOKENS)), 3),
    conv_bias: supportsOnly(false),
    intermediate_size: StoredSize,
    /** The name of `intermediate_size` in the first files, which counts where a file has both. */
    block_ff_dim: StoredSize,
    block_auto_adjust_ff_dim: z._default(z.boolean(), true),
    block_multiple_of: z._default(Positive, 256),
    block_ffn_dim_multiplier: z._default(z.nullable(z.number()), 1),
    head_dim: z.nullish(z.int()),
    layer_types: z.optional(z.nullable(z.array(z.enum(["conv", "full_attention"])))),
    full_attn_idxs: z.optional(z.nullable(z.array(z.int()))),
    ...ropeFields(1_000_000),
  }),
});

interface Lfm2Config extends DecoderLayerConfig {
  readonly layer_types: readonly ("conv" | "full_attention")[];
  readonly rope: RopeSettings;
  readonly conv_L_cache: number;
  /** Within a layer's MLP. */
  readonly channels: number | null | undefined;
}

/** The fields that give `channels`. */
const CHANNELS =
  "intermediate_size, or block_ff_dim, with block_auto_adjust_ff_dim, block_ffn_dim_multiplier and " +
  "block_multiple_of,";

function lfm2Config(files: CheckpointFiles): Lfm2Config {
  const { text_config } = parseConfig(Config, files);
  const { layer_types, full_attn_idxs, norm_eps, ...text } = text_config;
  const layers = Array.from({ length: text.num_hidden_layers }, (_, i) => i);
  const attends = (i: number) => full_attn_idxs?.includes(i) ?? true;
  const types = layer_types ?? layers.map((i) => (attends(i) ? "full_attention" : "conv"));
  const num_kv_layers = types.filter((type) => type === "full_attention").length;
  if (types.length !== layers.length) {
    throw new Error(
      `config.json: text_config.layer_types: ${types.length} layers, expected num_hidden_layers, ` +
        `${layers.length}`,
    );
  }
  const head_dim = text.head_dim ?? text.hidden_size / text.num_attention_heads;
  checkWidth("text_config.hidden_size", text.hidden_size);
  checkHeads("text_config.hidden_size / num_attention_heads", head_dim, 8);
  return {
    ...text,
    rms_norm_eps: norm_eps,
    intermediate_size: undefined,
    channels: mlpChannels(text_config),
    head_dim,
    rope: ropeSettings(text, head_dim),
    layer_types: types,
    num_kv_layers,
    num_conv_layers: types.length - num_kv_layers,
  };
}

/** The channels within a layer's MLP, if a field says how many. They are not `intermediate_size` itself. */
function mlpChannels({
  intermediate_size,
  block_ff_dim = intermediate_size,
  block_auto_adjust_ff_dim,
  block_ffn_dim_multiplier,
  block_multiple_of,
}: z.output<typeof Config>["text_config"]): number | null | undefined {
  if (!block_auto_adjust_ff_dim || !block_ff_dim) return block_ff_dim;
  const shrunk = Math.trunc((2 * block_ff_dim) / 3);
  const channels = Math.trunc((block_ffn_dim_multiplier ?? 1) * shrunk);
  return Math.ceil(channels / block_multiple_of) * block_multiple_of;
}

/**
 * LFM2 (arXiv 2511.23404): Llama's layers, most of which have a gated short convolution instead of
 * attention.
 *
 * @param prefix name of the decoder among the weights
 */
export function lfm2(files: CheckpointFiles, prefix: string): TextModel {
  const config = lfm2Config(files);
  return {
    text: config,
    forward: (g, w, rows, [images], cache, convolutions) =>
      layers(g, w.under(prefix), config, rows, images, cache, convolutions),
    head(g, w, hidden) {
      const decoder = w.under(prefix);
      return lmHead(g, w, decoder, hidden, rms(decoder, "embedding_norm", config.rms_norm_eps));
    },
  };
}

/**
 * Embedding and layers.
 *
 * @param rows token rows `[T, ROW_WORDS]`
 * @param images image embeddings `[N, D]`
 * @returns hidden states `[T, D]`, before the final norm
 */
function layers(
  g: Graph,
  w: Weights,
  c: Lfm2Config,
  rows: Tensor,
  images: Tensor | undefined,
  cache: readonly LayerCache[],
  convolutions: readonly ConvCache[],
): Tensor {
  const inputs = { rows, rope: rope(g, c.rope) };
  const [caches, states] = [cache.values(), convolutions.values()];
  let x = g.capture("embeds", embed(g, rows, tokenEmbeddings(w, c), images));
  c.layer_types.forEach((type, i) => {
    const own = w.under(`layers.${i}`);
    const layer = renamedWeights(hiddenWeights(own, /\.bias$/), lfm2Name);
    x =
      type === "conv"
        ? convLayer(g, layer, c, rows, states.next().value as ConvCache, x)
        : decoderLayer(g, layer, c, inputs, caches.next().value as LayerCache, x);
    const { intermediate_size } = mlpSizes(layer.under("mlp"));
    checkSizes("text_config", { [CHANNELS]: c.channels }, { [CHANNELS]: intermediate_size });
    g.capture(`hidden.${i}`, x);
  });
  return x;
}

/**
 * A layer with a short convolution, over a token and the ones before it.
 *
 * @param x `[T, D]`
 * @returns `[T, D]`
 */
function convLayer(
  g: Graph,
  w: Weights,
  c: Lfm2Config,
  rows: Tensor,
  state: ConvCache,
  x: Tensor,
): Tensor {
  const norm = rms(w, "input_layernorm", c.rms_norm_eps);
  const bcx = dense(g, w.under("conv.in_proj"), x, { norm }); // [T, 3D]
  const kernel = w.vector("conv.conv.weight"); // [D, 1, conv_L_cache]
  checkSizes("text_config", c, { conv_L_cache: kernel.shape[2] });
  const mixed = shortConv(g, rows, bcx, kernel, state);
  x = dense(g, w.under("conv.out_proj"), mixed, { residual: x });
  return feedForward(g, w, c, x);
}

/** LFM2's names of a decoder layer's tensors. */
function lfm2Name(name: string): string {
  return name
    .replace("input_layernorm", "operator_norm")
    .replace("post_attention_layernorm", "ffn_norm")
    .replace("q_norm", "q_layernorm")
    .replace("k_norm", "k_layernorm")
    .replace("o_proj", "out_proj")
    .replace("mlp.gate_proj", "feed_forward.w1")
    .replace("mlp.up_proj", "feed_forward.w3")
    .replace("mlp.down_proj", "feed_forward.w2");
}
