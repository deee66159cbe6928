import * as z from "zod/mini";
import { Positive } from "./config.ts";

/** Layers of Gemma 2 and 3 attend to a sliding window or to everything. */
export const LayerType = z.enum(["sliding_attention", "full_attention"]);

export type LayerType = z.output<typeof LayerType>;

/** Fields of `text_config` with the same defaults in transformers' Gemma 2 and Gemma 3 classes. */
export const LayeredFields = {
  hidden_size: z._default(z.int(), 2304),
  num_hidden_layers: z._default(z.int(), 26),
  num_attention_heads: z._default(z.int(), 8),
  num_key_value_heads: z._default(z.int(), 4),
  head_dim: z._default(z.int(), 256),
  hidden_activation: z._default(z.literal("gelu_pytorch_tanh"), "gelu_pytorch_tanh"),
  rms_norm_eps: z._default(z.number(), 1e-6),
  attention_bias: z._default(z.literal(false), false),
  query_pre_attn_scalar: z._default(z.number(), 256),
  sliding_window: z._default(Positive, 4096),
  layer_types: z.optional(z.nullable(z.array(LayerType))),
};

interface LayerSettings {
  readonly num_hidden_layers: number;
  readonly layer_types?: readonly LayerType[] | null | undefined;
}

/**
 * The types of all layers.
 *
 * @param period without `layer_types`, every layer of this many attends to everything
 * @returns `[num_hidden_layers]`
 * @throws Error when `layer_types` lists another number of layers
 */
export function layerTypes(
  { num_hidden_layers, layer_types }: LayerSettings,
  period: number,
): readonly LayerType[] {
  const types =
    layer_types ??
    Array.from({ length: num_hidden_layers }, (_, i) =>
      (i + 1) % period === 0 ? "full_attention" : "sliding_attention",
    );
  if (types.length === num_hidden_layers) return types;
  throw new Error(
    `config.json: text_config.layer_types: ${types.length} layers, expected ${num_hidden_layers}`,
  );
}
