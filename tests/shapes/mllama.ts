import type { CheckpointShape, Cut, NamedShape } from "./checkpoint-shape.ts";

/** Fields of `text_config` in config.json of meta-llama/Llama-3.2-11B-Vision-Instruct. */
const TEXT = {
  model_type: "mllama_text_model",
  hidden_size: 4096,
  intermediate_size: 14_336,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  rms_norm_eps: 1e-5,
  rope_theta: 500_000,
  rope_scaling: {
    rope_type: "llama3",
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 8192,
  },
  max_position_embeddings: 131_072,
};

/** Fields of its `vision_config`. */
const TOWER = {
  model_type: "mllama_vision_model",
  hidden_size: 1280,
  intermediate_size: 5120,
  attention_heads: 16,
  patch_size: 14,
  max_num_tiles: 4,
  norm_eps: 1e-5,
};

/** States of the vision tower that the projector reads: the last one, and five more. */
const STATES = 6;

/**
 * meta-llama/Llama-3.2-11B-Vision-Instruct with fewer layers of the published widths. The last layer of
 * the text model is a cross-attention layer.
 *
 * The published text model has 40 layers. The published tower has 32 local layers and 8 global ones.
 *
 * @param globalLayers of the tower; by default as many as local ones
 * @param cross the cross-attention layers of the text model; by default the last layer
 */
export function llama32of11b({
  layers,
  towerLayers,
  imageSize: image_size = 560,
  vocabulary: vocab_size = 128_256,
  globalLayers = towerLayers,
  cross = [layers - 1],
}: Cut & {
  readonly globalLayers?: number;
  readonly cross?: readonly number[];
}): CheckpointShape {
  return {
    id: `Llama-3.2-11B-Vision of ${layers} and ${towerLayers} layers`,
    files: {
      "config.json": {
        model_type: "mllama",
        image_token_index: vocab_size,
        text_config: {
          ...TEXT,
          vocab_size,
          num_hidden_layers: layers,
          cross_attention_layers: cross,
        },
        vision_config: {
          ...TOWER,
          image_size,
          num_hidden_layers: towerLayers,
          num_global_layers: globalLayers,
          intermediate_layers_indices: new Array(STATES - 1).fill(0),
        },
      },
      "preprocessor_config.json": {
        image_mean: [0.48145466, 0.4578275, 0.40821073],
        image_std: [0.26862954, 0.26130258, 0.27577711],
        size: { height: image_size, width: image_size },
      },
    },
    tensors: [
      ...textTensors(layers, cross, vocab_size),
      ...towerTensors(towerLayers, globalLayers, image_size),
      ["multi_modal_projector.weight", [TEXT.hidden_size, STATES * TOWER.hidden_size]],
      ["multi_modal_projector.bias", [TEXT.hidden_size]],
    ],
  };
}

function textTensors(layers: number, cross: readonly number[], V: number): NamedShape[] {
  const [D, F] = [TEXT.hidden_size, TEXT.intermediate_size];
  const C = D / TEXT.num_attention_heads;
  const kv = C * TEXT.num_key_value_heads;
  const tensors: NamedShape[] = [
    ["language_model.model.embed_tokens.weight", [V + 8, D]],
    ["language_model.model.norm.weight", [D]],
    ["language_model.lm_head.weight", [V, D]],
  ];
  for (let i = 0; i < layers; i++) {
    const layer = `language_model.model.layers.${i}`;
    const isCross = cross.includes(i);
    const attention = `${layer}.${isCross ? "cross_attn" : "self_attn"}`;
    tensors.push(
      [`${layer}.input_layernorm.weight`, [D]],
      [`${layer}.post_attention_layernorm.weight`, [D]],
      [`${attention}.q_proj.weight`, [D, D]],
      [`${attention}.k_proj.weight`, [kv, D]],
      [`${attention}.v_proj.weight`, [kv, D]],
      [`${attention}.o_proj.weight`, [D, D]],
      [`${layer}.mlp.gate_proj.weight`, [F, D]],
      [`${layer}.mlp.up_proj.weight`, [F, D]],
      [`${layer}.mlp.down_proj.weight`, [D, F]],
    );
    if (!isCross) continue;
    tensors.push(
      [`${attention}.q_norm.weight`, [C]],
      [`${attention}.k_norm.weight`, [C]],
      [`${layer}.cross_attn_attn_gate`, [1]],
      [`${layer}.cross_attn_mlp_gate`, [1]],
    );
  }
  return tensors;
}

function towerTensors(layers: number, globalLayers: number, imageSize: number): NamedShape[] {
  const [E, F, p, tiles] = [
    TOWER.hidden_size,
    TOWER.intermediate_size,
    TOWER.patch_size,
    TOWER.max_num_tiles,
  ];
  const rows = (imageSize / p) ** 2 + 1;
  const ratios = 9; // the grids of up to four tiles, and none
  const tower = "vision_model";
  const positions = `${tower}.gated_positional_embedding`;
  const tensors: NamedShape[] = [
    [`${tower}.class_embedding`, [E]],
    [`${tower}.patch_embedding.weight`, [E, 3, p, p]],
    [`${positions}.gate`, [1]],
    [`${positions}.embedding`, [rows, E]],
    [`${positions}.tile_embedding.weight`, [ratios, tiles * rows * E]],
  ];
  for (const name of ["pre_tile", "post_tile"]) {
    const embedding = `${tower}.${name}_positional_embedding`;
    tensors.push(
      [`${embedding}.gate`, [1]],
      [`${embedding}.embedding.weight`, [ratios, tiles * E]],
    );
  }
  const norm = (name: string): void => {
    tensors.push([`${name}.weight`, [E]], [`${name}.bias`, [E]]);
  };
  norm(`${tower}.layernorm_pre`);
  norm(`${tower}.layernorm_post`);
  const layer = (name: string, isGated: boolean): void => {
    norm(`${name}.input_layernorm`);
    norm(`${name}.post_attention_layernorm`);
    for (const part of ["q_proj", "k_proj", "v_proj", "o_proj"]) {
      tensors.push([`${name}.self_attn.${part}.weight`, [E, E]]);
    }
    tensors.push(
      [`${name}.mlp.fc1.weight`, [F, E]],
      [`${name}.mlp.fc1.bias`, [F]],
      [`${name}.mlp.fc2.weight`, [E, F]],
      [`${name}.mlp.fc2.bias`, [E]],
    );
    if (isGated) tensors.push([`${name}.gate_attn`, [1]], [`${name}.gate_ffn`, [1]]);
  };
  for (let i = 0; i < layers; i++) layer(`${tower}.transformer.layers.${i}`, false);
  for (let i = 0; i < globalLayers; i++) layer(`${tower}.global_transformer.layers.${i}`, true);
  return tensors;
}
