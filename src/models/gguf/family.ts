import type { GgufTensor } from "../../weights/gguf/header.ts";
import type { Metadata } from "../../weights/gguf/metadata.ts";
import type { GgufRole } from "../../weights/gguf/tensors.ts";
import type { ExtraToken } from "../../weights/gguf/tokenizer.ts";

/** What a family reads its settings from. */
export interface GgufSource {
  /** Of the file with the decoder: keys below its general.architecture. */
  readonly text: Metadata;
  /** Of the mmproj file: keys below "clip.vision". */
  readonly vision: Metadata;
  /** @returns the shape of a tensor, the slowest axis first; throws Error when no file has it */
  shape(name: string): readonly number[];
  has(name: string): boolean;
  /** @returns the id of a token; throws Error when the vocabulary lacks it */
  tokenId(token: string): number;
}

/** config.json and preprocessor_config.json, as transformers' classes read them. */
export interface GgufConfig {
  readonly config: object;
  readonly preprocessor: object;
}

/** How llama.cpp's converter stores a family. */
export interface GgufFamily {
  /** general.architecture of the file with the decoder. */
  readonly architecture: string;
  /** clip.projector_type of the mmproj file. */
  readonly projector: string;
  /** Tokens that the file's vocabulary lacks; `size` is the number of those it has. */
  readonly extraTokens?: (size: number) => readonly ExtraToken[];
  /** In place of a file's chat template that takes text only. */
  readonly chatTemplate?: string;
  config(source: GgufSource): GgufConfig;
  /** @returns which tensor of the model a tensor of the files is; undefined for none */
  roles(source: GgufSource): (tensor: GgufTensor) => GgufRole | undefined;
}

/** Names of parts, by llama.cpp's names of them. */
export type PartNames = Readonly<Record<string, string>>;

/** A decoder layer's modules. */
export const TEXT_LAYER: PartNames = {
  attn_norm: "input_layernorm",
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_output: "self_attn.o_proj",
  attn_q_norm: "self_attn.q_norm",
  attn_k_norm: "self_attn.k_norm",
  ffn_norm: "post_attention_layernorm",
  ffn_gate: "mlp.gate_proj",
  ffn_up: "mlp.up_proj",
  ffn_down: "mlp.down_proj",
};

/** Names of tensors: those of layers have a number, as in "blk.0.attn_q.weight". */
export interface Names {
  /** Hugging Face's name of what comes before the number of a layer. */
  readonly layers: string;
  readonly layer: PartNames;
  /** Tensors outside of layers, by llama.cpp's full names without ".weight" or ".bias". */
  readonly others: PartNames;
}

/** The names of a decoder's tensors. */
export function textNames(prefix: string, layer: PartNames = TEXT_LAYER): Names {
  return {
    layers: `${prefix}.layers`,
    layer,
    others: {
      token_embd: `${prefix}.embed_tokens`,
      output_norm: `${prefix}.norm`,
      output: "lm_head",
    },
  };
}

/**
 * @param name llama.cpp's name
 * @param prefix of the names of layers: "blk" or "v.blk"
 * @returns Hugging Face's name, and the number and llama.cpp's name of the layer's part
 */
export function renamed(
  name: string,
  prefix: string,
  { layers, layer, others }: Names,
): { name: string; part?: string } | undefined {
  const [, path = name, leaf = "weight"] = /^(.*)\.(weight|bias)$/.exec(name) ?? [];
  const other = others[path];
  if (other !== undefined) return { name: `${other}.${leaf}` };
  const [, number, part = ""] =
    (path.startsWith(`${prefix}.`) && /^(\d+)\.(\w+)$/.exec(path.slice(prefix.length + 1))) || [];
  const module = layer[part];
  if (number === undefined || module === undefined) return undefined;
  return { name: `${layers}.${number}.${module}.${leaf}`, part };
}

/** The fields of `text_config` that the files of all families have. */
export function textConfig({ text, shape }: GgufSource): object {
  const [vocab_size] = shape("token_embd.weight");
  return {
    vocab_size,
    hidden_size: text.number("embedding_length"),
    intermediate_size: text.number("feed_forward_length"),
    num_hidden_layers: text.number("block_count"),
    num_attention_heads: text.number("attention.head_count"),
    num_key_value_heads: keyValueHeads(text),
    head_dim: text.numberOr("attention.key_length", undefined),
    rms_norm_eps: text.number("attention.layer_norm_rms_epsilon"),
    max_position_embeddings: text.number("context_length"),
    rope_theta: text.numberOr("rope.freq_base", 10_000),
    rope_scaling: ropeScaling(text),
  };
}

/** Files of decoders whose layers differ have a number for each layer, which is 0 where it does not attend. */
function keyValueHeads(text: Metadata): number | null {
  const key = "attention.head_count_kv";
  return Array.isArray(text.get(key)) ? Math.max(...text.numbers(key)) : text.numberOr(key, null);
}

/** `rope_scaling`, with M-RoPE's sections where the file has them. */
function ropeScaling(text: Metadata): object | null {
  const type = text.get("rope.scaling.type");
  const sections = text.get("rope.dimension_sections") && text.numbers("rope.dimension_sections");
  const scaled = type !== undefined && type !== "none";
  if (!scaled && !sections) return null;
  return {
    rope_type: scaled ? type : "default",
    ...(sections && { mrope_section: sections.slice(0, 3) }),
    ...(scaled && {
      factor: text.number("rope.scaling.factor"),
      original_max_position_embeddings: text.numberOr(
        "rope.scaling.original_context_length",
        undefined,
      ),
      beta_fast: text.numberOr("rope.scaling.yarn_beta_fast", undefined),
      beta_slow: text.numberOr("rope.scaling.yarn_beta_slow", undefined),
      attention_factor: text.numberOr("rope.scaling.attn_factor", undefined),
    }),
  };
}

/** The fields of `vision_config` that the towers of all families have. */
export function towerSizes({ vision }: GgufSource): {
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
  readonly patch_size: number;
} {
  return {
    width: vision.number("embedding_length"),
    depth: vision.number("block_count"),
    heads: vision.number("attention.head_count"),
    patch_size: vision.number("patch_size"),
  };
}

/** The fields of preprocessor_config.json that all mmproj files have. */
export function imageNumbers({ vision }: GgufSource): object {
  return { image_mean: vision.numbers("image_mean"), image_std: vision.numbers("image_std") };
}
