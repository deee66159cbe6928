import type { GgufTensor } from "../../weights/gguf/header.ts";
import type { GgufRole } from "../../weights/gguf/tensors.ts";
import {
  type GgufFamily,
  type GgufSource,
  type PartNames,
  imageNumbers,
  renamed,
  textConfig,
  textNames,
  towerSizes,
} from "./family.ts";

const LAYER: PartNames = {
  ln1: "norm1",
  ln2: "norm2",
  attn_qkv: "attn.qkv",
  attn_q: "attn.qkv",
  attn_k: "attn.qkv",
  attn_v: "attn.qkv",
  attn_out: "attn.proj",
};

/** The parts whose rows are stacked in `attn.qkv`. */
const QKV = ["attn_q", "attn_k", "attn_v"];

const FRAMES = ["v.patch_embd.weight", "v.patch_embd.weight.1"];

/** What all files of Qwen-VL leave out. */
const TOWER = { temporal_patch_size: 2, in_chans: 3 };

/** Qwen2-VL. */
export const qwen2VlGguf: GgufFamily = {
  architecture: "qwen2vl",
  projector: "qwen2vl_merger",
  config: (source) => ({
    config: config(source, "qwen2_vl", {
      embed_dim: source.vision.number("embedding_length"),
      hidden_size: source.vision.number("projection_dim"),
    }),
    preprocessor: preprocessor(source, PIXELS),
  }),
  roles: () =>
    roles(
      { ...LAYER, ffn_up: "mlp.fc1", ffn_down: "mlp.fc2" },
      { "v.post_ln": "merger.ln_q", "mm.0": "merger.mlp.0", "mm.2": "merger.mlp.2" },
    ),
};

/** Qwen2.5-VL. */
export const qwen25VlGguf: GgufFamily = {
  architecture: "qwen2vl",
  projector: "qwen2.5vl_merger",
  config(source) {
    const { vision } = source;
    const { depth, patch_size } = towerSizes(source);
    const period = vision.number("n_wa_pattern");
    const layers = Array.from({ length: depth }, (_, i) => i);
    return {
      config: config(source, "qwen2_5_vl", {
        hidden_size: vision.number("embedding_length"),
        out_hidden_size: vision.number("projection_dim"),
        intermediate_size: vision.number("feed_forward_length"),
        window_size: 8 * patch_size,
        fullatt_block_indexes: layers.filter((i) => (i + 1) % period === 0),
      }),
      preprocessor: preprocessor(source, PIXELS),
    };
  },
  roles: () =>
    roles(
      { ...LAYER, ffn_gate: "mlp.gate_proj", ffn_up: "mlp.up_proj", ffn_down: "mlp.down_proj" },
      { "v.post_ln": "merger.ln_q", "mm.0": "merger.mlp.0", "mm.2": "merger.mlp.2" },
    ),
};

/** Qwen3-VL. */
export const qwen3VlGguf: GgufFamily = {
  architecture: "qwen3vl",
  projector: "qwen3vl_merger",
  config: (source) => ({
    config: config(source, "qwen3_vl", {
      hidden_size: source.vision.number("embedding_length"),
      out_hidden_size: source.vision.number("projection_dim"),
      intermediate_size: source.vision.number("feed_forward_length"),
      num_position_embeddings: source.shape("v.position_embd.weight")[0],
      deepstack_visual_indexes: deepstackLayers(source),
    }),
    preprocessor: preprocessor(source, [65_536, 16_777_216]),
  }),
  roles(source) {
    const mergers = deepstackLayers(source).flatMap((layer, i) => {
      const [from, to] = [`v.deepstack.${layer}`, `deepstack_merger_list.${i}`];
      return [
        [`${from}.norm`, `${to}.norm`],
        [`${from}.fc1`, `${to}.linear_fc1`],
        [`${from}.fc2`, `${to}.linear_fc2`],
      ];
    });
    return roles(
      { ...LAYER, ffn_up: "mlp.linear_fc1", ffn_down: "mlp.linear_fc2" },
      {
        "v.position_embd": "pos_embed",
        "v.post_ln": "merger.norm",
        "mm.0": "merger.linear_fc1",
        "mm.2": "merger.linear_fc2",
        ...(Object.fromEntries(mergers) as PartNames),
      },
    );
  },
};

/** The limits of the published preprocessor_config.json files, in pixels. llama.cpp has others. */
const PIXELS = [56 * 56, 16_384 * 28 * 28] as const;

function config(source: GgufSource, model_type: string, tower: object): object {
  const { depth, heads, patch_size } = towerSizes(source);
  return {
    model_type,
    image_token_id: source.tokenId("<|image_pad|>"),
    vision_start_token_id: source.tokenId("<|vision_start|>"),
    vision_end_token_id: source.tokenId("<|vision_end|>"),
    text_config: textConfig(source),
    vision_config: {
      ...{ depth, num_heads: heads, patch_size, ...TOWER },
      spatial_merge_size: mergeSize(source),
      ...tower,
    },
  };
}

function preprocessor(source: GgufSource, [min, max]: readonly [number, number]): object {
  const { vision } = source;
  return {
    ...imageNumbers(source),
    patch_size: towerSizes(source).patch_size,
    temporal_patch_size: TOWER.temporal_patch_size,
    merge_size: mergeSize(source),
    size: {
      shortest_edge: vision.numberOr("image_min_pixels", min),
      longest_edge: vision.numberOr("image_max_pixels", max),
    },
  };
}

function mergeSize({ vision }: GgufSource): number {
  return vision.numberOr("spatial_merge_size", 2);
}

/** The tower's layers whose states are added to the decoder's. */
function deepstackLayers({ vision }: GgufSource): number[] {
  const flags = vision.get("is_deepstack_layers");
  if (!Array.isArray(flags)) return [];
  return flags.flatMap((flag, layer) => (flag === true ? [layer] : []));
}

function roles(layer: PartNames, others: PartNames): (tensor: GgufTensor) => GgufRole | undefined {
  const visual = (name: string) => `model.visual.${name}`;
  const tower = {
    layers: visual("blocks"),
    layer,
    others: {
      "v.patch_embd": visual("patch_embed.proj"),
      ...Object.fromEntries(Object.entries(others).map(([from, to]) => [from, visual(to)])),
    },
  };
  const text = textNames("model.language_model");
  return ({ name }) => {
    const place = FRAMES.indexOf(name);
    if (place >= 0) {
      const whole = visual("patch_embed.proj.weight");
      return { name: `${whole}.${place}`, frameOf: { name: whole, place } };
    }
    const found = renamed(name, "blk", text) ?? renamed(name, "v.blk", tower);
    if (!found) return undefined;
    const row = QKV.indexOf(found.part ?? "");
    if (row < 0 || !found.name.startsWith("model.visual.")) return { name: found.name };
    return { name: `${found.name}.${row}`, stackedIn: { name: found.name, place: row } };
  };
}
