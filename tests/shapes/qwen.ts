import type { CheckpointShape, Cut } from "./checkpoint-shape.ts";

/** The fields of Qwen/Qwen2.5-VL-3B-Instruct's config.json that the model reads. */
const QWEN25_VL_3B = {
  model_type: "qwen2_5_vl",
  image_token_id: 151_655,
  hidden_act: "silu",
  hidden_size: 2048,
  intermediate_size: 11_008,
  max_position_embeddings: 128_000,
  num_attention_heads: 16,
  num_hidden_layers: 36,
  num_key_value_heads: 2,
  rms_norm_eps: 1e-6,
  rope_theta: 1_000_000,
  rope_scaling: { type: "mrope", mrope_section: [16, 24, 24] },
  tie_word_embeddings: true,
  vocab_size: 151_936,
  vision_config: {
    depth: 32,
    hidden_act: "silu",
    hidden_size: 1280,
    intermediate_size: 3420,
    num_heads: 16,
    out_hidden_size: 2048,
    patch_size: 14,
    temporal_patch_size: 2,
    spatial_merge_size: 2,
    window_size: 112,
    fullatt_block_indexes: [7, 15, 23, 31],
  },
};

const PREPROCESSOR = {
  min_pixels: 3136,
  max_pixels: 12_845_056,
  patch_size: 14,
  temporal_patch_size: 2,
  merge_size: 2,
  image_mean: [0.48145466, 0.4578275, 0.40821073],
  image_std: [0.26862954, 0.26130258, 0.27577711],
};

/**
 * Qwen2.5-VL-3B with fewer layers of the published widths.
 *
 * The published text model has 36 layers, and the published tower 32. The last layer of the tower
 * attends to the whole image.
 */
export function qwen25Vl3b({
  layers,
  towerLayers: depth,
  vocabulary: vocab_size = QWEN25_VL_3B.vocab_size,
}: Cut): CheckpointShape {
  const vision_config = {
    ...QWEN25_VL_3B.vision_config,
    depth,
    fullatt_block_indexes: [depth - 1],
  };
  const config = { ...QWEN25_VL_3B, num_hidden_layers: layers, vocab_size, vision_config };
  return {
    id: `Qwen2.5-VL-3B with ${layers} + ${depth} layers`,
    files: { "config.json": config, "preprocessor_config.json": PREPROCESSOR },
    tensors: [...textTensors(config), ...towerTensors(config)],
  };
}

function textTensors(c: typeof QWEN25_VL_3B): [name: string, shape: number[]][] {
  const [D, F] = [c.hidden_size, c.intermediate_size];
  const kv = (c.num_key_value_heads * D) / c.num_attention_heads;
  const tensors: [string, number[]][] = [
    ["model.embed_tokens.weight", [c.vocab_size, D]],
    ["model.norm.weight", [D]],
  ];
  for (let i = 0; i < c.num_hidden_layers; i++) {
    const layer = `model.layers.${i}`;
    tensors.push(
      [`${layer}.input_layernorm.weight`, [D]],
      [`${layer}.post_attention_layernorm.weight`, [D]],
      [`${layer}.self_attn.q_proj.weight`, [D, D]],
      [`${layer}.self_attn.q_proj.bias`, [D]],
      [`${layer}.self_attn.k_proj.weight`, [kv, D]],
      [`${layer}.self_attn.k_proj.bias`, [kv]],
      [`${layer}.self_attn.v_proj.weight`, [kv, D]],
      [`${layer}.self_attn.v_proj.bias`, [kv]],
      [`${layer}.self_attn.o_proj.weight`, [D, D]],
      [`${layer}.mlp.gate_proj.weight`, [F, D]],
      [`${layer}.mlp.up_proj.weight`, [F, D]],
      [`${layer}.mlp.down_proj.weight`, [D, F]],
    );
  }
  return tensors;
}

function towerTensors({
  vision_config: v,
}: typeof QWEN25_VL_3B): [name: string, shape: number[]][] {
  const [E, F, p] = [v.hidden_size, v.intermediate_size, v.patch_size];
  const merged = E * v.spatial_merge_size ** 2;
  const linear = (name: string, O: number, D: number): [string, number[]][] => [
    [`visual.${name}.weight`, [O, D]],
    [`visual.${name}.bias`, [O]],
  ];
  const tensors: [string, number[]][] = [
    ["visual.patch_embed.proj.weight", [E, 3, v.temporal_patch_size, p, p]],
    ["visual.merger.ln_q.weight", [E]],
    ...linear("merger.mlp.0", merged, merged),
    ...linear("merger.mlp.2", v.out_hidden_size, merged),
  ];
  for (let i = 0; i < v.depth; i++) {
    tensors.push(
      [`visual.blocks.${i}.norm1.weight`, [E]],
      [`visual.blocks.${i}.norm2.weight`, [E]],
      ...linear(`blocks.${i}.attn.qkv`, 3 * E, E),
      ...linear(`blocks.${i}.attn.proj`, E, E),
      ...linear(`blocks.${i}.mlp.gate_proj`, F, E),
      ...linear(`blocks.${i}.mlp.up_proj`, F, E),
      ...linear(`blocks.${i}.mlp.down_proj`, E, F),
    );
  }
  return tensors;
}
