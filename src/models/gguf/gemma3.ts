import {
  type GgufFamily,
  TEXT_LAYER,
  imageNumbers,
  renamed,
  textConfig,
  textNames,
} from "./family.ts";
import { siglipConfig, siglipTensors } from "./siglip.ts";

const LAYER = {
  ...TEXT_LAYER,
  post_attention_norm: "post_attention_layernorm",
  ffn_norm: "pre_feedforward_layernorm",
  post_ffw_norm: "post_feedforward_layernorm",
};

const IMAGE_TOKEN = "<image_soft_token>";

/** The layers of the one model whose attention is scaled by the width of its states, not of its heads. */
const WIDE_LAYERS = 62;

/** Gemma 3. */
export const gemma3Gguf: GgufFamily = {
  architecture: "gemma3",
  projector: "gemma3",

  // The file's vocabulary ends before it.
  extraTokens: (size) => [{ content: IMAGE_TOKEN, id: size }],

  config(source) {
    const { text, vision } = source;
    const layers = text.number("block_count");
    const heads = text.number("attention.head_count");
    const scaling = text.get("rope.scaling.type");
    const image_size = vision.number("image_size");
    const side = Math.floor(image_size / vision.number("patch_size"));
    const block = vision.numberOr("projector.scale_factor", 4);
    return {
      config: {
        model_type: "gemma3",
        image_token_index: source.tokenId(IMAGE_TOKEN),
        mm_tokens_per_image: Math.floor(side / block) ** 2,
        text_config: {
          ...textConfig(source),
          query_pre_attn_scalar:
            layers === WIDE_LAYERS
              ? text.number("embedding_length") / heads
              : text.number("attention.key_length"),
          sliding_window: text.number("attention.sliding_window"),
          rope_theta: text.numberOr("rope.freq_base", 1_000_000),
          rope_local_base_freq: text.numberOr("rope.freq_base_swa", 10_000),
          ...(scaling === undefined && { rope_scaling: null }),
        },
        vision_config: siglipConfig(source),
      },
      preprocessor: {
        ...imageNumbers(source),
        size: { height: image_size, width: image_size },
      },
    };
  },

  roles(source) {
    const names = textNames("model.language_model", LAYER);
    const connector = "model.multi_modal_projector";
    const tower = siglipTensors(source, "model.vision_tower", {
      "mm.soft_emb_norm": `${connector}.mm_soft_emb_norm`,
    });
    return (tensor) => {
      if (tensor.name === "mm.input_projection.weight") {
        return { name: `${connector}.mm_input_projection_weight` };
      }
      const name = renamed(tensor.name, "blk", names)?.name ?? tower(tensor);
      if (name === undefined) return undefined;
      // Norms that multiply by 1 + weight here have that sum in the file.
      const isNorm = !name.startsWith("model.vision_tower.") && /norm\.weight$/.test(name);
      return { name, ...(isNorm && { offset: -1 }) };
    };
  },
};
