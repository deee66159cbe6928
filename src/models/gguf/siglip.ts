import type { GgufTensor } from "../../weights/gguf/header.ts";
import { type GgufSource, type Names, type PartNames, renamed, towerSizes } from "./family.ts";

const SIGLIP_LAYER: PartNames = {
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_out: "self_attn.out_proj",
  ln1: "layer_norm1",
  ln2: "layer_norm2",
  ffn_up: "mlp.fc1",
  ffn_down: "mlp.fc2",
};

/** The names of a SigLIP tower's tensors. */
function siglipNames(prefix: string, connector: PartNames, layer: PartNames): Names {
  return {
    layers: `${prefix}.encoder.layers`,
    layer,
    others: {
      "v.patch_embd": `${prefix}.embeddings.patch_embedding`,
      "v.position_embd": `${prefix}.embeddings.position_embedding`,
      "v.post_ln": `${prefix}.post_layernorm`,
      ...connector,
    },
  };
}

/**
 * The names of the tensors of an mmproj file with a SigLIP tower. Old files have the names of the two
 * matrices of an MLP exchanged.
 *
 * @param connector names outside of the tower
 */
export function siglipTensors(
  { vision, shape }: GgufSource,
  prefix: string,
  connector: PartNames,
): (tensor: GgufTensor) => string | undefined {
  const areExchanged =
    shape("v.blk.0.ffn_down.weight").at(-1) === vision.number("embedding_length");
  const { ffn_up = "", ffn_down = "" } = SIGLIP_LAYER;
  const layer = areExchanged
    ? { ...SIGLIP_LAYER, ffn_up: ffn_down, ffn_down: ffn_up }
    : SIGLIP_LAYER;
  const names = siglipNames(prefix, connector, layer);
  return ({ name }) => renamed(name, "v.blk", names)?.name;
}

/** `vision_config` of a SigLIP tower. */
export function siglipConfig(source: GgufSource): object {
  const { width, depth, heads, patch_size } = towerSizes(source);
  return {
    hidden_size: width,
    intermediate_size: source.vision.number("feed_forward_length"),
    num_hidden_layers: depth,
    num_attention_heads: heads,
    image_size: source.vision.number("image_size"),
    patch_size,
    layer_norm_eps: source.vision.number("attention.layer_norm_epsilon"),
    hidden_act: "gelu_pytorch_tanh",
  };
}
