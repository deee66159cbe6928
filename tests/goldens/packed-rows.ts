import type { StoredTensor } from "../checkpoint.ts";
import * as layouts from "./packed-layouts.ts";

/** A tensor of a checkpoint in bf16. */
export interface GoldenMatrix {
  /** In the checkpoint. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** What a matrix is stored as, by the ends of the tensors' names, and what that means. */
export interface PackedTensors {
  readonly tensors: Readonly<Record<string, StoredTensor>>;
  readonly exact: Float32Array;
}

/** A family folder in a packed format. */
export interface PackedRow {
  /** The format and the family. */
  readonly name: string;
  readonly family: string;
  /** Added to config.json. */
  readonly config: object;
  readonly rename?: (name: string) => string;
  /** MLX's order of a convolution's axes. */
  readonly channelsLast?: boolean;
  /** What the other tensors are stored in. Default "BF16". */
  readonly keep?: "F16";
  /** @returns undefined for a matrix that is not packed */
  pack?(matrix: GoldenMatrix): PackedTensors | undefined;
}

const isLayer = ({ name, shape }: GoldenMatrix) =>
  shape.length === 2 &&
  /^(?!.*(visual|vision)).*layers\.\d+\.(self_attn|mlp)\.\w+\.weight$/.test(name);

/** mlx-vlm's names. */
function mlxName(name: string): string {
  return name
    .replace(/^model\.text_model\./, "language_model.")
    .replace(/^model\.language_model\./, "language_model.model.")
    .replace(/^(model\.)?visual\./, "vision_tower.")
    .replace(/^model\.(vision_model|connector)\./, "$1.")
    .replace(/^model\./, "language_model.model.")
    .replace(/^lm_head\./, "language_model.lm_head.");
}

function mlx(family: string, bits: number, group: number, old = false): PackedRow {
  const type = old ? "F16" : "BF16";
  const settings = { group_size: group, bits, ...(!old && { mode: "affine" }) };
  // Modules may have bits of their own.
  const wide = mlxName(
    family === "smolvlm"
      ? "model.text_model.layers.0.mlp.gate_proj"
      : "model.layers.0.mlp.gate_proj",
  );
  const mixed = family === "smolvlm" && bits === 4 ? { [wide]: { ...settings, bits: 6 } } : {};
  return {
    name: `mlx-${family}-${bits}bit${group === 32 ? "-g32" : ""}${old ? "-old" : ""}`,
    family,
    config: {
      quantization: { ...settings, ...mixed },
      ...(!old && { quantization_config: { ...settings, ...mixed } }),
    },
    rename: mlxName,
    channelsLast: true,
    ...(old && { keep: "F16" }),
    pack(matrix) {
      const [, D = 0] = matrix.shape;
      const isText =
        isLayer(matrix) || /embed_tokens|lm_head|modality_projection/.test(matrix.name);
      const own = mlxName(matrix.name).replace(/\.weight$/, "") in mixed ? 6 : bits;
      return isText && D % group === 0 ? layouts.mlx(matrix, own, group, type) : undefined;
    },
  };
}

function mlxPlain(family: string): PackedRow {
  const name = `mlx-${family}-bf16`;
  return { name, family, config: {}, rename: mlxName, channelsLast: true };
}

function compressed(family: string, symmetric: boolean): PackedRow {
  const group = 32;
  const weights = { num_bits: 4, type: "int", strategy: "group", group_size: group, symmetric };
  return {
    name: `compressed-${family}-w4a16${symmetric ? "" : "-zero"}`,
    family,
    config: {
      quantization_config: {
        quant_method: "compressed-tensors",
        format: "pack-quantized",
        config_groups: { group_0: { targets: ["Linear"], weights } },
        ignore: ["lm_head", "re:.*visual.*"],
      },
    },
    pack: (matrix) =>
      isLayer(matrix) && matrix.shape[1]! % group === 0
        ? layouts.compressed(matrix, group, symmetric)
        : undefined,
  };
}

function fp8(family: string, block?: number): PackedRow {
  const config = block
    ? { quant_method: "fp8", weight_block_size: [block, block], modules_to_not_convert: ["visual"] }
    : {
        quant_method: "compressed-tensors",
        format: "float-quantized",
        config_groups: {
          group_0: { weights: { num_bits: 8, type: "float", strategy: "channel" } },
        },
        ignore: ["lm_head"],
      };
  return {
    name: `fp8-${family}-${block ? "block" : "channel"}`,
    family,
    config: { quantization_config: config },
    pack: (matrix) => (isLayer(matrix) ? layouts.fp8(matrix, block) : undefined),
  };
}

function gptq(family: string, actOrder: boolean): PackedRow {
  const group = actOrder ? 128 : 64;
  return {
    name: `gptq-${family}${actOrder ? "-act" : ""}`,
    family,
    config: {
      quantization_config: { quant_method: "gptq", bits: 4, group_size: group, desc_act: actOrder },
    },
    keep: "F16",
    pack: (matrix) => (isLayer(matrix) ? layouts.gptq(matrix, group, actOrder) : undefined),
  };
}

const awq: PackedRow = {
  name: "awq-qwen2_5_vl",
  family: "qwen2_5_vl",
  config: {
    quantization_config: {
      ...{ quant_method: "awq", bits: 4, group_size: 128, version: "gemm", zero_point: true },
      modules_to_not_convert: ["visual"],
    },
  },
  pack: (matrix) =>
    isLayer(matrix) && matrix.shape[1]! % 128 === 0 ? layouts.awq(matrix, 128) : undefined,
};

const nf4: PackedRow = {
  name: "nf4-qwen2_5_vl",
  family: "qwen2_5_vl",
  config: {
    quantization_config: {
      ...{ quant_method: "bitsandbytes", load_in_4bit: true, bnb_4bit_quant_type: "nf4" },
      llm_int8_skip_modules: ["lm_head", "merger"],
    },
  },
  // As unsloth does, the tower's, too.
  pack: (matrix) =>
    isLayer(matrix) || /visual\.blocks\.\d+\.\w+\.\w+\.weight$/.test(matrix.name)
      ? layouts.nf4(matrix)
      : undefined,
};

/** The formats and families of published repositories, without GGUF. */
export const PACKED_ROWS: readonly PackedRow[] = [
  mlx("qwen2_5_vl", 4, 64),
  mlx("qwen2_5_vl", 4, 64, true),
  mlxPlain("qwen2_5_vl"),
  mlx("qwen3_vl", 8, 64),
  mlx("qwen3_vl", 4, 32),
  mlx("smolvlm", 4, 64),
  mlx("smolvlm", 8, 32),
  mlxPlain("smolvlm"),
  compressed("qwen2_5_vl", true),
  compressed("qwen3_vl", false),
  fp8("qwen2_5_vl"),
  fp8("qwen3_vl", 128),
  awq,
  gptq("qwen2_vl", false),
  gptq("qwen2_vl", true),
  nf4,
];
