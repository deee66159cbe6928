import type { CheckpointShape, Cut, NamedShape } from "./checkpoint-shape.ts";
import { clipTensors } from "./llava.ts";

const CONV = "conv";
const ATTENTION = "full_attention";

/** The types of the 16 layers, the same for both sizes. */
const LAYER_TYPES = [
  ...[CONV, CONV, ATTENTION, CONV, CONV, ATTENTION, CONV, CONV, ATTENTION],
  ...[CONV, ATTENTION, CONV, ATTENTION, CONV, ATTENTION, CONV],
];

/** Where LiquidAI/LFM2-VL-450M and LFM2-VL-1.6B differ. */
const SIZES = {
  "450M": {
    text: { hidden_size: 1024, num_attention_heads: 16, feedForward: 4608 },
    tower: { hidden_size: 768, intermediate_size: 3072, num_attention_heads: 12 },
  },
  "1.6B": {
    text: { hidden_size: 2048, num_attention_heads: 32, feedForward: 8192 },
    tower: { hidden_size: 1152, intermediate_size: 4304, num_attention_heads: 16 },
  },
} as const;

const PROJECTOR = 2560;

/**
 * LFM2-VL with fewer layers of the published widths.
 *
 * The published text models have 16 layers, and the third is the first with attention. The published
 * towers have 12 and 26 layers.
 */
export function lfm2Vl(
  size: keyof typeof SIZES,
  { layers, towerLayers, imageSize = 256, vocabulary: vocab_size = 65_536 }: Cut,
): CheckpointShape {
  const { text, tower } = SIZES[size];
  const { feedForward, ...widths } = text;
  const layer_types = LAYER_TYPES.slice(0, layers);
  const vision_config = {
    ...tower,
    num_hidden_layers: towerLayers,
    num_patches: 256,
    patch_size: 16,
  };
  const text_config = {
    ...widths,
    vocab_size,
    num_hidden_layers: layers,
    num_key_value_heads: 8,
    max_position_embeddings: 128_000,
    norm_eps: 1e-5,
    rope_theta: 1_000_000,
    layer_types,
  };
  const merged = 4 * tower.hidden_size;
  const projector = "model.multi_modal_projector";
  return {
    id: `LFM2-VL-${size} of ${layers} and ${towerLayers} layers`,
    files: {
      "config.json": { model_type: "lfm2_vl", image_token_id: 396, text_config, vision_config },
      // The smallest square image is as large as the tower's input.
      "preprocessor_config.json": { min_image_tokens: (imageSize / 32) ** 2 },
    },
    tensors: [
      ...textTensors(layer_types, text_config, feedForward),
      ...clipTensors({ ...vision_config, image_size: 256 }, { ownRow: false, patchBias: true }).map(
        ([name, shape]): NamedShape => [`model.${name}`, shape],
      ),
      [`${projector}.layer_norm.weight`, [merged]],
      [`${projector}.layer_norm.bias`, [merged]],
      [`${projector}.linear_1.weight`, [PROJECTOR, merged]],
      [`${projector}.linear_1.bias`, [PROJECTOR]],
      [`${projector}.linear_2.weight`, [text.hidden_size, PROJECTOR]],
      [`${projector}.linear_2.bias`, [text.hidden_size]],
    ],
  };
}

interface Text {
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads: number;
}

/** @param F width of the feed-forward layers */
function textTensors(types: readonly string[], t: Text, F: number): NamedShape[] {
  const D = t.hidden_size;
  const C = D / t.num_attention_heads;
  const kv = t.num_key_value_heads * C;
  const attention: NamedShape[] = [
    ["self_attn.q_proj.weight", [D, D]],
    ["self_attn.k_proj.weight", [kv, D]],
    ["self_attn.v_proj.weight", [kv, D]],
    ["self_attn.out_proj.weight", [D, D]],
    ["self_attn.q_layernorm.weight", [C]],
    ["self_attn.k_layernorm.weight", [C]],
  ];
  const conv: NamedShape[] = [
    ["conv.in_proj.weight", [3 * D, D]],
    ["conv.conv.weight", [D, 1, 3]],
    ["conv.out_proj.weight", [D, D]],
  ];
  const shared: NamedShape[] = [
    ["operator_norm.weight", [D]],
    ["ffn_norm.weight", [D]],
    ["feed_forward.w1.weight", [F, D]],
    ["feed_forward.w2.weight", [D, F]],
    ["feed_forward.w3.weight", [F, D]],
  ];
  const layers = types.flatMap((type, i) =>
    [...(type === CONV ? conv : attention), ...shared].map(([name, shape]): NamedShape => [
      `model.language_model.layers.${i}.${name}`,
      shape,
    ]),
  );
  return [
    ["model.language_model.embed_tokens.weight", [t.vocab_size, D]],
    ["model.language_model.embedding_norm.weight", [D]],
    ...layers,
  ];
}
