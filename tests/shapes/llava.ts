import type { CheckpointShape, Cut, NamedShape } from "./checkpoint-shape.ts";

/** Config fields of a Llama, Qwen2 or Gemma decoder. */
interface Text {
  readonly model_type: string;
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads: number;
  readonly rms_norm_eps: number;
  readonly rope_theta: number;
  readonly max_position_embeddings: number;
}

/** Config fields of a vision tower. */
interface Tower {
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly image_size: number;
  readonly patch_size: number;
}

/** Config fields of InternViT. */
interface InternVit extends Tower {
  readonly attention_bias?: boolean;
  readonly norm_type?: string;
  readonly use_qk_norm?: boolean;
}

export const SIGLIP_SO400M: Omit<Tower, "num_hidden_layers"> = {
  hidden_size: 1152,
  intermediate_size: 4304,
  num_attention_heads: 16,
  image_size: 384,
  patch_size: 14,
};

const VIT_LARGE: Omit<Tower, "num_hidden_layers" | "image_size"> = {
  hidden_size: 1024,
  intermediate_size: 4096,
  num_attention_heads: 16,
  patch_size: 14,
};

/** InternViT-6B, which has RMS norms, norms of queries and keys, and no bias in attention. */
const VIT_6B = {
  hidden_size: 3200,
  intermediate_size: 12_800,
  num_attention_heads: 25,
  patch_size: 14,
  attention_bias: false,
  norm_type: "rms_norm",
  use_qk_norm: true,
};

/** Config fields of Qwen2.5-32B. */
const QWEN25_32B: Omit<Text, "vocab_size" | "num_hidden_layers"> = {
  model_type: "qwen2",
  hidden_size: 5120,
  intermediate_size: 27_648,
  num_attention_heads: 40,
  num_key_value_heads: 8,
  rms_norm_eps: 1e-6,
  rope_theta: 1_000_000,
  max_position_embeddings: 32_768,
};

/** Config fields of Qwen2-0.5B, which LLaVA-OneVision and InternVL3 use with other vocabularies. */
const QWEN2_05B: Omit<Text, "vocab_size" | "num_hidden_layers"> = {
  model_type: "qwen2",
  hidden_size: 896,
  intermediate_size: 4864,
  num_attention_heads: 14,
  num_key_value_heads: 2,
  rms_norm_eps: 1e-6,
  rope_theta: 1_000_000,
  max_position_embeddings: 32_768,
};

/**
 * llava-hf/llava-onevision-qwen2-0.5b-ov-hf with fewer layers of the published widths.
 *
 * The published text model has 24 layers, and the published tower 26.
 */
export function llavaOnevision05b({
  layers,
  towerLayers,
  imageSize: image_size = 384,
  vocabulary: vocab_size = 152_000,
}: Cut): CheckpointShape {
  const text_config = { ...QWEN2_05B, vocab_size, num_hidden_layers: layers };
  const vision_config = { ...SIGLIP_SO400M, image_size, num_hidden_layers: towerLayers };
  const [D, E] = [text_config.hidden_size, vision_config.hidden_size];
  return {
    id: `LLaVA-OneVision-0.5B of ${layers} and ${towerLayers} layers`,
    files: {
      "config.json": {
        model_type: "llava_onevision",
        image_token_index: 151_646,
        tie_word_embeddings: true,
        vision_aspect_ratio: "anyres_max_9",
        vision_feature_layer: -1,
        vision_feature_select_strategy: "full",
        text_config,
        vision_config,
      },
      "preprocessor_config.json": {
        image_mean: [0.5, 0.5, 0.5],
        image_std: [0.5, 0.5, 0.5],
        image_grid_pinpoints: canvases(image_size),
        size: { height: image_size, width: image_size },
      },
    },
    tensors: [
      ["image_newline", [D]],
      ...textTensors(text_config, false),
      ...clipTensors(vision_config, { ownRow: false, patchBias: true }),
      ...projectorTensors(D, E),
    ],
  };
}

/**
 * llava-hf/llava-1.5-7b-hf with fewer layers of the published widths.
 *
 * The published text model has 32 layers, and the published tower 24. The last layer of a tower
 * does not run.
 */
export function llava15of7b({
  layers,
  towerLayers,
  imageSize: image_size = 336,
  vocabulary: vocab_size = 32_064,
}: Cut): CheckpointShape {
  const text_config: Text = {
    model_type: "llama",
    vocab_size,
    hidden_size: 4096,
    intermediate_size: 11_008,
    num_hidden_layers: layers,
    num_attention_heads: 32,
    num_key_value_heads: 32,
    rms_norm_eps: 1e-5,
    rope_theta: 10_000,
    max_position_embeddings: 4096,
  };
  const vision_config = { ...VIT_LARGE, image_size, num_hidden_layers: towerLayers };
  return {
    id: `LLaVA-1.5-7B of ${layers} and ${towerLayers} layers`,
    files: {
      "config.json": {
        model_type: "llava",
        image_token_index: 32_000,
        vision_feature_layer: -2,
        text_config,
        vision_config: { ...vision_config, model_type: "clip_vision_model" },
      },
      "preprocessor_config.json": {
        size: { shortest_edge: image_size },
        crop_size: { height: image_size, width: image_size },
      },
    },
    tensors: [
      ...textTensors(text_config, true),
      ...clipTensors(vision_config, { ownRow: true, patchBias: false }),
      ...projectorTensors(text_config.hidden_size, vision_config.hidden_size),
    ],
  };
}

/**
 * OpenGVLab/InternVL3-1B-hf with fewer layers of the published widths.
 *
 * The published text model has 24 layers, and the published tower 24.
 */
export function internvl3of1b(cut: Cut): CheckpointShape {
  return internvl3("1B", QWEN2_05B, VIT_LARGE, cut);
}

/**
 * OpenGVLab/InternVL3-38B-hf with fewer layers of the published widths.
 *
 * The published text model has 64 layers, and the published tower 45.
 */
export function internvl3of38b(cut: Cut): CheckpointShape {
  return internvl3("38B", cut.hasSmallText ? QWEN2_05B : QWEN25_32B, VIT_6B, cut);
}

function internvl3(
  name: string,
  text: Omit<Text, "vocab_size" | "num_hidden_layers">,
  tower: Omit<InternVit, "num_hidden_layers" | "image_size">,
  { layers, towerLayers, imageSize: image_size = 448, vocabulary: vocab_size = 151_674 }: Cut,
): CheckpointShape {
  const text_config = { ...text, vocab_size, num_hidden_layers: layers };
  const vision_config = { ...tower, image_size, num_hidden_layers: towerLayers };
  const [D, merged] = [text_config.hidden_size, vision_config.hidden_size * 4];
  return {
    id: `InternVL3-${name} of ${layers} and ${towerLayers} layers`,
    files: {
      "config.json": {
        model_type: "internvl",
        image_token_id: 151_667,
        downsample_ratio: 0.5,
        text_config,
        vision_config: {
          ...vision_config,
          image_size: [image_size, image_size],
          patch_size: [14, 14],
        },
      },
      "preprocessor_config.json": {
        image_mean: [0.485, 0.456, 0.406],
        image_std: [0.229, 0.224, 0.225],
        size: { height: image_size, width: image_size },
        max_patches: 12,
      },
    },
    tensors: [
      ...textTensors(text_config, true),
      ...internVitTensors(vision_config),
      ["multi_modal_projector.layer_norm.weight", [merged]],
      ["multi_modal_projector.layer_norm.bias", [merged]],
      ...projectorTensors(D, merged),
    ],
  };
}

/**
 * google/paligemma-3b-mix-224 with fewer layers of the published widths.
 *
 * The published text model has 18 layers, and the published tower 27.
 */
export function paligemma3b({
  layers,
  towerLayers,
  imageSize: image_size = 224,
  vocabulary: vocab_size = 257_216,
}: Cut): CheckpointShape {
  const text_config: Text = {
    model_type: "gemma",
    vocab_size,
    hidden_size: 2048,
    intermediate_size: 16_384,
    num_hidden_layers: layers,
    num_attention_heads: 8,
    num_key_value_heads: 1,
    rms_norm_eps: 1e-6,
    rope_theta: 10_000,
    max_position_embeddings: 8192,
  };
  const vision_config = { ...SIGLIP_SO400M, image_size, num_hidden_layers: towerLayers };
  return {
    id: `PaliGemma-3B of ${layers} and ${towerLayers} layers`,
    files: {
      "config.json": {
        model_type: "paligemma",
        image_token_index: 257_152,
        text_config,
        vision_config,
      },
      "preprocessor_config.json": {
        image_mean: [0.5, 0.5, 0.5],
        image_std: [0.5, 0.5, 0.5],
        size: { height: image_size, width: image_size },
      },
    },
    tensors: [
      ...textTensors(text_config, false),
      ...clipTensors(vision_config, { ownRow: false, patchBias: true }),
      ...linear("multi_modal_projector.linear", text_config.hidden_size, vision_config.hidden_size),
    ],
  };
}

/** The canvases of one to six tiles in height and in width. */
function canvases(tile: number): [height: number, width: number][] {
  const sides = [1, 2, 3, 4, 5, 6].map((tiles) => tiles * tile);
  return sides.flatMap((height) => sides.map((width) => [height, width] as [number, number]));
}

function linear(name: string, O: number, D: number): NamedShape[] {
  return [
    [`${name}.weight`, [O, D]],
    [`${name}.bias`, [O]],
  ];
}

function norm(name: string, D: number): NamedShape[] {
  return [
    [`${name}.weight`, [D]],
    [`${name}.bias`, [D]],
  ];
}

/**
 * Tensors of a Llama, Gemma or Qwen2 decoder. Qwen2 has biases.
 *
 * @param head whether the head is a separate tensor, not the embedding
 */
function textTensors(t: Text, head: boolean): NamedShape[] {
  const D = t.hidden_size;
  const kv = (D / t.num_attention_heads) * t.num_key_value_heads;
  const bias = t.model_type === "qwen2";
  const tensors: NamedShape[] = [
    ["language_model.model.embed_tokens.weight", [t.vocab_size, D]],
    ["language_model.model.norm.weight", [D]],
    ...(head ? [["language_model.lm_head.weight", [t.vocab_size, D]] as NamedShape] : []),
  ];
  for (let i = 0; i < t.num_hidden_layers; i++) {
    const layer = `language_model.model.layers.${i}`;
    for (const [name, O] of [
      ["q_proj", D],
      ["k_proj", kv],
      ["v_proj", kv],
    ] as const) {
      tensors.push(...linear(`${layer}.self_attn.${name}`, O, D).slice(0, bias ? 2 : 1));
    }
    tensors.push(
      [`${layer}.input_layernorm.weight`, [D]],
      [`${layer}.post_attention_layernorm.weight`, [D]],
      [`${layer}.self_attn.o_proj.weight`, [D, D]],
      [`${layer}.mlp.gate_proj.weight`, [t.intermediate_size, D]],
      [`${layer}.mlp.up_proj.weight`, [t.intermediate_size, D]],
      [`${layer}.mlp.down_proj.weight`, [D, t.intermediate_size]],
    );
  }
  return tensors;
}

function projectorTensors(D: number, E: number): NamedShape[] {
  return [
    ...linear("multi_modal_projector.linear_1", D, E),
    ...linear("multi_modal_projector.linear_2", D, D),
  ];
}

/** Tensors of CLIP, which has a class embedding and a norm before the layers, or of SigLIP. */
export function clipTensors(
  v: Tower,
  { ownRow, patchBias }: { ownRow: boolean; patchBias: boolean },
): NamedShape[] {
  const tower = "vision_tower.vision_model";
  const [E, F, p] = [v.hidden_size, v.intermediate_size, v.patch_size];
  const patches = Math.floor(v.image_size / p) ** 2;
  const tensors: NamedShape[] = [
    ...linear(`${tower}.embeddings.patch_embedding`, E, 3 * p * p).slice(0, patchBias ? 2 : 1),
    [`${tower}.embeddings.position_embedding.weight`, [patches + Number(ownRow), E]],
    ...norm(`${tower}.post_layernorm`, E),
  ];
  if (ownRow) {
    tensors.push([`${tower}.embeddings.class_embedding`, [E]], ...norm(`${tower}.pre_layrnorm`, E));
  }
  for (let i = 0; i < v.num_hidden_layers; i++) {
    const layer = `${tower}.encoder.layers.${i}`;
    tensors.push(...norm(`${layer}.layer_norm1`, E), ...norm(`${layer}.layer_norm2`, E));
    for (const name of ["q_proj", "k_proj", "v_proj", "out_proj"]) {
      tensors.push(...linear(`${layer}.self_attn.${name}`, E, E));
    }
    tensors.push(...linear(`${layer}.mlp.fc1`, F, E), ...linear(`${layer}.mlp.fc2`, E, F));
  }
  return tensors;
}

function internVitTensors(v: InternVit): NamedShape[] {
  const tower = "vision_tower";
  const isRms = v.norm_type === "rms_norm";
  const hasBias = v.attention_bias ?? true;
  const [E, F, p] = [v.hidden_size, v.intermediate_size, v.patch_size];
  const tensors: NamedShape[] = [
    [`${tower}.embeddings.cls_token`, [1, 1, E]],
    [`${tower}.embeddings.position_embeddings`, [1, (v.image_size / p) ** 2 + 1, E]],
    ...linear(`${tower}.embeddings.patch_embeddings.projection`, E, 3 * p * p),
  ];
  for (let i = 0; i < v.num_hidden_layers; i++) {
    const layer = `${tower}.encoder.layer.${i}`;
    tensors.push(
      ...norm(`${layer}.layernorm_before`, E).slice(0, isRms ? 1 : 2),
      ...norm(`${layer}.layernorm_after`, E).slice(0, isRms ? 1 : 2),
      [`${layer}.lambda_1`, [E]],
      [`${layer}.lambda_2`, [E]],
      ...linear(`${layer}.mlp.fc1`, F, E),
      ...linear(`${layer}.mlp.fc2`, E, F),
    );
    for (const name of ["q_proj", "k_proj", "v_proj"]) {
      tensors.push(...linear(`${layer}.attention.${name}`, E, E).slice(0, hasBias ? 2 : 1));
    }
    tensors.push(...linear(`${layer}.attention.projection_layer`, E, E));
    if (v.use_qk_norm) {
      const names = ["q_norm", "k_norm"].map((name) => `${layer}.attention.${name}.weight`);
      tensors.push(...names.map((name): NamedShape => [name, [E]]));
    }
  }
  return tensors;
}
