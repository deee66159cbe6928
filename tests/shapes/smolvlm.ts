import type { CheckpointShape, Cut } from "./checkpoint-shape.ts";

/** The fields of HuggingFaceTB/SmolVLM-256M-Instruct's config.json that the model reads. */
const SMOLVLM_256M = {
  model_type: "smolvlm",
  image_token_id: 49190,
  scale_factor: 4,
  tie_word_embeddings: false,
  text_config: {
    vocab_size: 49280,
    hidden_size: 576,
    intermediate_size: 1536,
    num_hidden_layers: 30,
    num_attention_heads: 9,
    num_key_value_heads: 3,
    head_dim: 64,
    rms_norm_eps: 1e-5,
    rope_theta: 100_000,
    max_position_embeddings: 8192,
  },
  vision_config: {
    hidden_size: 768,
    intermediate_size: 3072,
    image_size: 512,
    patch_size: 16,
    num_hidden_layers: 12,
    num_attention_heads: 12,
  },
};

const PREPROCESSOR = {
  do_image_splitting: true,
  do_normalize: true,
  do_rescale: true,
  rescale_factor: 1 / 255,
  image_mean: [0.5, 0.5, 0.5],
  image_std: [0.5, 0.5, 0.5],
  resample: 1,
};

/**
 * HuggingFaceTB/SmolVLM-256M-Instruct, with fewer layers of the published widths.
 *
 * The published text model has 30 layers, and the published tower 12.
 */
export function smolvlm256m(cut: Cut): CheckpointShape {
  return smolvlm("SmolVLM-256M", SMOLVLM_256M, cut);
}

/** HuggingFaceTB/SmolVLM2-500M-Video-Instruct, with 32 layers and a tower of 12 as published. */
export function smolvlm500m(cut: Cut): CheckpointShape {
  const text_config = {
    ...SMOLVLM_256M.text_config,
    hidden_size: 960,
    intermediate_size: 2560,
    num_attention_heads: 15,
    num_key_value_heads: 5,
  };
  return smolvlm("SmolVLM-500M", { ...SMOLVLM_256M, text_config }, cut);
}

function smolvlm(
  name: string,
  published: typeof SMOLVLM_256M,
  { layers, towerLayers, imageSize, vocabulary }: Cut,
): CheckpointShape {
  const { text_config, vision_config } = published;
  const image_size = imageSize ?? vision_config.image_size;
  const vocab_size = vocabulary ?? text_config.vocab_size;
  const config = {
    ...published,
    text_config: { ...text_config, vocab_size, num_hidden_layers: layers },
    vision_config: { ...vision_config, image_size, num_hidden_layers: towerLayers },
  };
  return {
    id: `${name} of ${layers} and ${towerLayers} layers`,
    files: {
      "config.json": config,
      "preprocessor_config.json": {
        ...PREPROCESSOR,
        max_image_size: { longest_edge: image_size },
        size: { longest_edge: 4 * image_size },
      },
      "processor_config.json": { image_seq_len: (image_size / 64) ** 2 },
    },
    tensors: smolvlmTensors(config),
  };
}

/** The names and shapes of all tensors of a SmolVLM checkpoint. */
function smolvlmTensors(config: typeof SMOLVLM_256M): [name: string, shape: number[]][] {
  const { text_config: t, vision_config: v, scale_factor: s } = config;
  const D = t.hidden_size;
  const kv = t.num_key_value_heads * t.head_dim;
  const q = t.num_attention_heads * t.head_dim;
  const E = v.hidden_size;
  const tensors: [string, number[]][] = [
    ["model.text_model.embed_tokens.weight", [t.vocab_size, D]],
    ["model.text_model.norm.weight", [D]],
    ["lm_head.weight", [t.vocab_size, D]],
    ["model.connector.modality_projection.proj.weight", [D, E * s * s]],
  ];
  for (let i = 0; i < t.num_hidden_layers; i++) {
    const layer = `model.text_model.layers.${i}`;
    tensors.push(
      [`${layer}.input_layernorm.weight`, [D]],
      [`${layer}.post_attention_layernorm.weight`, [D]],
      [`${layer}.self_attn.q_proj.weight`, [q, D]],
      [`${layer}.self_attn.k_proj.weight`, [kv, D]],
      [`${layer}.self_attn.v_proj.weight`, [kv, D]],
      [`${layer}.self_attn.o_proj.weight`, [D, q]],
      [`${layer}.mlp.gate_proj.weight`, [t.intermediate_size, D]],
      [`${layer}.mlp.up_proj.weight`, [t.intermediate_size, D]],
      [`${layer}.mlp.down_proj.weight`, [D, t.intermediate_size]],
    );
  }
  const linear = (name: string, O: number, width: number): void => {
    tensors.push([`${name}.weight`, [O, width]], [`${name}.bias`, [O]]);
  };
  const norm = (name: string): void => {
    tensors.push([`${name}.weight`, [E]], [`${name}.bias`, [E]]);
  };
  const vision = "model.vision_model";
  linear(`${vision}.embeddings.patch_embedding`, E, 3 * v.patch_size ** 2);
  const side = v.image_size / v.patch_size;
  tensors.push([`${vision}.embeddings.position_embedding.weight`, [side * side, E]]);
  norm(`${vision}.post_layernorm`);
  for (let i = 0; i < v.num_hidden_layers; i++) {
    const layer = `${vision}.encoder.layers.${i}`;
    norm(`${layer}.layer_norm1`);
    norm(`${layer}.layer_norm2`);
    for (const name of ["q_proj", "k_proj", "v_proj", "out_proj"]) {
      linear(`${layer}.self_attn.${name}`, E, E);
    }
    linear(`${layer}.mlp.fc1`, v.intermediate_size, E);
    linear(`${layer}.mlp.fc2`, E, v.intermediate_size);
  }
  return tensors;
}
