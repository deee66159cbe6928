import * as z from "zod/mini";
import type { Activation } from "../ops/activation.ts";
import { StoredSize, activation, checkHeads, checkWidth, parse, parseConfig } from "./config.ts";
import type { DecoderLayerConfig } from "./decoder.ts";
import { SlidingFields, slidingLayers } from "./layer-types.ts";
import type { CheckpointFiles } from "./model.ts";
import { type Mrope, ropeFields, ropeSettings } from "./rope-settings.ts";
import type { RopeSettings } from "./rope.ts";

const Config = z.object({ text_config: z.looseObject({}) });

const Text = z.object({
  model_type: z.nullish(z.string()),
  vocab_size: z.int(),
  hidden_size: z.int(),
  num_hidden_layers: z.int(),
  num_attention_heads: z.int(),
  /** null: as many as there are attention heads. */
  num_key_value_heads: z.nullable(z.int()),
  head_dim: z.nullish(z.int()),
  rms_norm_eps: z.number(),
  max_position_embeddings: z.int(),
  hidden_act: activation("silu"),
  intermediate_size: StoredSize,
  attention_bias: z.nullish(z.boolean()),
  mlp_bias: z.nullish(z.boolean()),
  ...SlidingFields,
  ...ropeFields(10_000),
});

/**
 * What a transformers class has for the fields of `text_config` that a checkpoint leaves out. A
 * field without a default must be in config.json.
 */
export type LlamaDefaults = Partial<z.input<typeof Text>>;

/** The defaults of transformers' Llama class. */
export const LLAMA_DEFAULTS = {
  vocab_size: 32_000,
  hidden_size: 4096,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: null,
  rms_norm_eps: 1e-6,
  max_position_embeddings: 2048,
} satisfies LlamaDefaults;

/** The settings of a decoder made of `decoderLayer`. */
export interface LlamaConfig extends DecoderLayerConfig {
  readonly hidden_act: Activation;
  readonly rope: RopeSettings;
  /** `[num_hidden_layers]`: the keys that tokens attend to. */
  readonly ranges: readonly ("all" | "window")[];
  /** The names of a layer's tensors that its class does not have, though a file may. */
  readonly unused: RegExp;
  /** Fields that ask for biases, and the name of one. */
  readonly biases: readonly (readonly [field: string, name: string])[];
}

/**
 * Reads the `text_config` of a Llama-like decoder.
 *
 * @param mrope of decoders whose tokens have three positions
 * @throws Error naming the first field that is wrong
 */
export function llamaConfig(
  files: CheckpointFiles,
  defaults: LlamaDefaults = LLAMA_DEFAULTS,
  mrope?: Mrope,
): LlamaConfig {
  const { text_config: own } = parseConfig(Config, files);
  const filled = { text_config: { ...defaults, ...own } };
  const { text_config: text } = parse(z.object({ text_config: Text }), filled, "config.json");
  const model_type = text.model_type ?? defaults.model_type ?? "llama";
  const H = text.num_attention_heads;
  // The classes of Qwen2-VL have no such field.
  const given = /^qwen2(_5)?_vl/.test(model_type) ? undefined : text.head_dim;
  const head_dim = given ?? text.hidden_size / H;
  checkWidth("text_config.hidden_size", text.hidden_size);
  checkHeads("text_config.head_dim, or hidden_size / num_attention_heads,", head_dim, 8);
  const { types, sliding_window } = slidingLayers(text, model_type);
  return {
    ...text,
    sliding_window,
    num_key_value_heads: text.num_key_value_heads ?? H,
    head_dim,
    rope: ropeSettings(text, head_dim, "text_config", mrope),
    ranges: types.map((type) => (type === "full_attention" ? "all" : "window")),
    ...biasesOf({ ...text, model_type }),
  };
}

/** Qwen2 always has biases of q, k and v, and no others; the other classes have them by settings. */
function biasesOf({
  model_type,
  attention_bias,
  mlp_bias,
}: Pick<z.output<typeof Text>, "attention_bias" | "mlp_bias"> & {
  model_type: string;
}): Pick<LlamaConfig, "unused" | "biases"> {
  if (model_type.startsWith("qwen2")) {
    return { unused: /^(self_attn\.o_proj|mlp\.\w+)\.bias$/, biases: [] };
  }
  const all = [
    {
      field: "attention_bias",
      part: "self_attn",
      name: "self_attn.q_proj.bias",
      isSet: attention_bias,
    },
    { field: "mlp_bias", part: "mlp", name: "mlp.up_proj.bias", isSet: mlp_bias },
  ];
  const without = all.filter(({ isSet }) => !isSet).map(({ part }) => part);
  return {
    unused: new RegExp(`^(${without.join("|")})\\.\\w+\\.bias$`),
    biases: all.filter(({ isSet }) => isSet).map(({ field, name }) => [field, name]),
  };
}
