import * as z from "zod/mini";
import { Positive, StoredSize, activation } from "./config.ts";

/** Layers attend to all earlier tokens, or to a sliding window. */
export const LayerType = z.literal(["sliding_attention", "full_attention"]);

export type LayerType = z.output<typeof LayerType>;

/** Fields of `text_config` with the same defaults in transformers' Gemma 2 and Gemma 3 classes. */
export const LayeredGemmaFields = {
  hidden_size: z._default(z.int(), 2304),
  num_hidden_layers: z._default(z.int(), 26),
  num_attention_heads: z._default(z.int(), 8),
  num_key_value_heads: z._default(z.int(), 4),
  head_dim: z._default(z.int(), 256),
  hidden_activation: activation("gelu_pytorch_tanh"),
  rms_norm_eps: z._default(z.number(), 1e-6),
  intermediate_size: StoredSize,
  attention_bias: z._default(z.boolean(), false),
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
 * @param typeOf the type of a layer where config.json has no `layer_types`
 * @returns `[num_hidden_layers]`
 * @throws Error when `layer_types` lists another number of layers
 */
function layerTypes(
  { num_hidden_layers, layer_types }: LayerSettings,
  typeOf: (layer: number) => LayerType,
): readonly LayerType[] {
  const types = layer_types ?? Array.from({ length: num_hidden_layers }, (_, i) => typeOf(i));
  if (types.length === num_hidden_layers) return types;
  throw new Error(
    `config.json: text_config.layer_types: ${types.length} layers, expected ${num_hidden_layers}`,
  );
}

/** The types of Gemma's layers: every layer of `period` attends to everything. */
export function periodicLayers(settings: LayerSettings, period: number): readonly LayerType[] {
  return layerTypes(settings, (i) =>
    (i + 1) % period === 0 ? "full_attention" : "sliding_attention",
  );
}

/** The fields of `text_config` that `slidingLayers` reads. */
export const SlidingFields = {
  sliding_window: z.nullish(Positive),
  use_sliding_window: z.nullish(z.boolean()),
  max_window_layers: z.nullish(z.int()),
  layer_types: z.nullish(z.array(LayerType)),
};

interface SlidingSettings extends LayerSettings {
  readonly sliding_window?: number | null | undefined;
  readonly use_sliding_window?: boolean | null | undefined;
  readonly max_window_layers?: number | null | undefined;
  readonly max_position_embeddings: number;
}

/** The defaults of transformers' classes; no file leaves the second out. */
const SLIDING_WINDOW = 4096;
const MAX_WINDOW_LAYERS = 28;

/** Layers that attend to a sliding window, and how many keys it has. */
export interface SlidingLayers {
  /** `[num_hidden_layers]` */
  readonly types: readonly LayerType[];
  /** Absent where no layer has a window. */
  readonly sliding_window?: number;
}

/**
 * The layers of a decoder like Llama's. Mistral has a window in all layers, Qwen2 and Qwen3 in those from
 * `max_window_layers` on, if `use_sliding_window` says so. The other types have none.
 *
 * @param modelType `model_type` of the decoder
 * @throws Error naming the field that asks for a window that the type does not have
 */
export function slidingLayers(settings: SlidingSettings, modelType: string): SlidingLayers {
  const isMistral = modelType === "mistral";
  const isQwen = /^qwen(2|3)$|^qwen2(_5)?_vl/.test(modelType);
  const { use_sliding_window, sliding_window = SLIDING_WINDOW } = settings;
  const { max_window_layers, max_position_embeddings } = settings;
  // A window that is as long as the context has no effect.
  if (
    !isQwen &&
    !isMistral &&
    settings.sliding_window &&
    settings.sliding_window < max_position_embeddings
  ) {
    throw new Error(
      `config.json: text_config.sliding_window is ${settings.sliding_window}, ` +
        `expected null, for a decoder of type ${modelType}`,
    );
  }
  const window = isMistral || (isQwen && use_sliding_window) ? sliding_window : null;
  const first = isMistral ? 0 : (max_window_layers ?? MAX_WINDOW_LAYERS);
  const types = layerTypes(settings, (i) =>
    window && i >= first ? "sliding_attention" : "full_attention",
  );
  if (types.every((type) => type === "full_attention")) return { types };
  if (window) return { types, sliding_window: window };
  throw new Error(
    "config.json: text_config.layer_types has sliding_attention, " +
      "which needs use_sliding_window and sliding_window of a Qwen2 decoder",
  );
}
