import {
  type GgufFamily,
  type PartNames,
  imageNumbers,
  renamed,
  textConfig,
  textNames,
  towerSizes,
} from "./family.ts";

const LAYER: PartNames = {
  attn_q: "attention.q_proj",
  attn_k: "attention.k_proj",
  attn_v: "attention.v_proj",
  attn_q_norm: "attention.q_norm",
  attn_k_norm: "attention.k_norm",
  attn_out: "attention.projection_layer",
  ln1: "layernorm_before",
  ln2: "layernorm_after",
  ls1: "lambda_1",
  ls2: "lambda_2",
  ffn_up: "mlp.fc1",
  ffn_down: "mlp.fc2",
};

const TOWER = "model.vision_tower";
const PROJECTOR = "model.multi_modal_projector";
const IMAGE_TOKEN = "<IMG_CONTEXT>";

/** What transformers' repositories have. Those that GGUF files are made of join contents as text. */
const TEMPLATE =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}" +
  "{% if message['content'] is string %}{{ message['content'] }}{% else %}" +
  "{% for content in message['content'] %}{% if content['type'] == 'image' %}" +
  `{{ '${IMAGE_TOKEN}\\n' }}` +
  "{% elif content['type'] == 'text' %}{{ content['text'] }}{% endif %}{% endfor %}{% endif %}" +
  "{{ '<|im_end|>\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/** InternVL 2.5 and 3 with a Qwen2 decoder. */
export const internvlGguf: GgufFamily = {
  architecture: "qwen2",
  projector: "internvl",
  chatTemplate: TEMPLATE,

  config(source) {
    const { vision, has } = source;
    const { width, depth, heads, patch_size } = towerSizes(source);
    const image_size = vision.number("image_size");
    return {
      config: {
        model_type: "internvl",
        image_token_id: source.tokenId(IMAGE_TOKEN),
        downsample_ratio: 1 / vision.numberOr("projector.scale_factor", 2),
        text_config: { model_type: "qwen2", ...textConfig(source) },
        vision_config: {
          hidden_size: width,
          num_hidden_layers: depth,
          num_attention_heads: heads,
          intermediate_size: vision.number("feed_forward_length"),
          layer_norm_eps: vision.number("attention.layer_norm_epsilon"),
          ...{ image_size, patch_size, hidden_act: "gelu" },
          attention_bias: has("v.blk.0.attn_q.bias"),
          norm_type: has("v.blk.0.ln1.bias") ? "layer_norm" : "rms_norm",
          use_qk_norm: has("v.blk.0.attn_q_norm.weight"),
          use_absolute_position_embeddings: true,
        },
      },
      preprocessor: {
        ...imageNumbers(source),
        size: { height: image_size, width: image_size },
        min_patches: vision.numberOr("preproc_min_tiles", 1),
        max_patches: vision.numberOr("preproc_max_tiles", 12),
      },
    };
  },

  roles() {
    const text = textNames("model.language_model");
    const tower = {
      layers: `${TOWER}.encoder.layer`,
      layer: LAYER,
      others: {
        "v.patch_embd": `${TOWER}.embeddings.patch_embeddings.projection`,
        "mm.model.mlp.0": `${PROJECTOR}.layer_norm`,
        "mm.model.mlp.1": `${PROJECTOR}.linear_1`,
        "mm.model.mlp.3": `${PROJECTOR}.linear_2`,
      },
    };
    return ({ name }) => {
      if (name === "v.class_embd") return { name: `${TOWER}.embeddings.cls_token` };
      if (name === "v.position_embd.weight") {
        return { name: `${TOWER}.embeddings.position_embeddings` };
      }
      const found = renamed(name, "blk", text) ?? renamed(name, "v.blk", tower);
      // Layer scales are parameters without a module.
      return found && { name: found.name.replace(/\.(lambda_\d)\.weight$/, ".$1") };
    };
  },
};
