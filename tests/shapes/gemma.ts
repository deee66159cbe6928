import type { CheckpointShape, Cut, NamedShape } from "./checkpoint-shape.ts";
import { SIGLIP_SO400M, clipTensors } from "./llava.ts";

/** Fields of `text_config` in config.json of google/gemma-3-4b-it, and defaults of its class. */
const GEMMA3_4B = {
  model_type: "gemma3_text",
  hidden_size: 2560,
  intermediate_size: 10_240,
  num_attention_heads: 8,
  num_key_value_heads: 4,
  head_dim: 256,
  rope_scaling: { factor: 8, rope_type: "linear" },
  sliding_window: 1024,
};

/**
 * google/gemma-3-4b-it with fewer layers of the published widths.
 *
 * The published text model has 34 layers, and the published tower 27.
 */
export function gemma3of4b({
  layers,
  towerLayers,
  imageSize: image_size = 896,
  vocabulary: vocab_size = 262_208,
}: Cut): CheckpointShape {
  const text_config = { ...GEMMA3_4B, vocab_size, num_hidden_layers: layers };
  const vision_config = { ...SIGLIP_SO400M, image_size, num_hidden_layers: towerLayers };
  const [D, E] = [text_config.hidden_size, vision_config.hidden_size];
  return {
    id: `Gemma-3-4B of ${layers} and ${towerLayers} layers`,
    files: {
      "config.json": {
        model_type: "gemma3",
        image_token_index: 262_144,
        mm_tokens_per_image: (image_size / 56) ** 2, // blocks of 4 x 4 patches of 14 pixels
        text_config,
        vision_config,
      },
      "preprocessor_config.json": {
        image_mean: [0.5, 0.5, 0.5],
        image_std: [0.5, 0.5, 0.5],
        resample: 2,
        size: { height: image_size, width: image_size },
      },
    },
    tensors: [
      ...textTensors(text_config),
      ...clipTensors(vision_config, { ownRow: false, patchBias: true }),
      ["multi_modal_projector.mm_input_projection_weight", [E, D]],
      ["multi_modal_projector.mm_soft_emb_norm.weight", [E]],
    ],
  };
}

interface Text {
  readonly vocab_size: number;
  readonly num_hidden_layers: number;
}

function textTensors(t: typeof GEMMA3_4B & Text): NamedShape[] {
  const [D, F, C] = [t.hidden_size, t.intermediate_size, t.head_dim];
  const [q, kv] = [t.num_attention_heads * C, t.num_key_value_heads * C];
  const tensors: NamedShape[] = [
    ["language_model.model.embed_tokens.weight", [t.vocab_size, D]],
    ["language_model.model.norm.weight", [D]],
  ];
  for (let i = 0; i < t.num_hidden_layers; i++) {
    const layer = `language_model.model.layers.${i}`;
    tensors.push(
      [`${layer}.input_layernorm.weight`, [D]],
      [`${layer}.post_attention_layernorm.weight`, [D]],
      [`${layer}.pre_feedforward_layernorm.weight`, [D]],
      [`${layer}.post_feedforward_layernorm.weight`, [D]],
      [`${layer}.self_attn.q_proj.weight`, [q, D]],
      [`${layer}.self_attn.k_proj.weight`, [kv, D]],
      [`${layer}.self_attn.v_proj.weight`, [kv, D]],
      [`${layer}.self_attn.o_proj.weight`, [D, q]],
      [`${layer}.self_attn.q_norm.weight`, [C]],
      [`${layer}.self_attn.k_norm.weight`, [C]],
      [`${layer}.mlp.gate_proj.weight`, [F, D]],
      [`${layer}.mlp.up_proj.weight`, [F, D]],
      [`${layer}.mlp.down_proj.weight`, [D, F]],
    );
  }
  return tensors;
}
