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
  attn_norm: "operator_norm",
  attn_output: "self_attn.out_proj",
  attn_q_norm: "self_attn.q_layernorm",
  attn_k_norm: "self_attn.k_layernorm",
  ffn_norm: "ffn_norm",
  ffn_gate: "feed_forward.w1",
  ffn_up: "feed_forward.w3",
  ffn_down: "feed_forward.w2",
};

/** The parts of layers that convolve. */
const CONVOLUTION = /^(blk\.\d+)\.shortconv\.(conv|in_proj|out_proj)\.weight$/;

const TEXT = "model.language_model";

/** LFM2-VL. */
export const lfm2VlGguf: GgufFamily = {
  architecture: "lfm2",
  projector: "lfm2",

  config(source) {
    const { text, vision, shape, has } = source;
    const heads = text.numbers("attention.head_count_kv");
    const downsample_factor = vision.numberOr("projector.scale_factor", 2);
    const tower = siglipConfig(source);
    return {
      config: {
        model_type: "lfm2_vl",
        image_token_id: source.tokenId("<image>"),
        downsample_factor,
        projector_bias: has("mm.1.bias"),
        text_config: {
          model_type: "lfm2",
          ...textConfig(source),
          norm_eps: text.number("attention.layer_norm_rms_epsilon"),
          conv_L_cache: text.number("shortconv.l_cache"),
          // The file has the adjusted number.
          block_auto_adjust_ff_dim: false,
          layer_types: heads.map((count) => (count > 0 ? "full_attention" : "conv")),
        },
        vision_config: { ...tower, num_patches: shape("v.position_embd.weight")[0] },
      },
      // The file has no limits of images: they are those of the published settings.
      preprocessor: {
        ...imageNumbers(source),
        downsample_factor,
        encoder_patch_size: vision.number("patch_size"),
      },
    };
  },

  roles(source) {
    const names = textNames(TEXT, LAYER);
    const norm = `${TEXT}.embedding_norm`;
    const text = {
      ...names,
      others: { ...names.others, token_embd_norm: norm, output_norm: norm },
    };
    const connector = "model.multi_modal_projector";
    const tower = siglipTensors(source, "model.vision_tower.vision_model", {
      "mm.input_norm": `${connector}.layer_norm`,
      "mm.1": `${connector}.linear_1`,
      "mm.2": `${connector}.linear_2`,
    });
    return (tensor) => {
      const { name, shape } = tensor;
      const [, layer, part] = CONVOLUTION.exec(name) ?? [];
      if (layer && part) {
        const own = `${TEXT}.layers.${layer.slice("blk.".length)}.conv.${part}.weight`;
        const [D = 0, length = 0] = shape;
        return { name: own, ...(part === "conv" && { shape: [D, 1, length] }) };
      }
      // transformers' tower takes patches whose pixels are whole, not whole planes.
      if (name === "v.patch_embd.weight") return { name: tower(tensor)!, channelsLast: true };
      const found = renamed(name, "blk", text)?.name ?? tower(tensor);
      return found === undefined ? undefined : { name: found };
    };
  },
};
