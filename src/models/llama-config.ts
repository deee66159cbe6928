import * as z from "zod/mini";
import { parse, parseConfig } from "./config.ts";
import type { DecoderLayerConfig } from "./decoder.ts";
import type { CheckpointFiles } from "./model.ts";
import { ropeFields, ropeSettings } from "./rope-settings.ts";
import type { RopeSettings } from "./rope.ts";

const Config = z.object({ text_config: z.looseObject({}) });

const Text = z.object({
  model_type: z.optional(z.string()),
  vocab_size: z.int(),
  hidden_size: z.int(),
  num_hidden_layers: z.int(),
  num_attention_heads: z.int(),
  /** null: as many as there are attention heads. */
  num_key_value_heads: z.nullable(z.int()),
  head_dim: z.nullish(z.int()),
  rms_norm_eps: z.number(),
  max_position_embeddings: z.int(),
  hidden_act: z.literal("silu"),
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
  hidden_act: "silu",
} satisfies LlamaDefaults;

/** The settings of a decoder made of `decoderLayer`. */
export interface LlamaConfig extends DecoderLayerConfig {
  readonly rope: RopeSettings;
}

/**
 * Reads the `text_config` of a Llama-like decoder.
 *
 * @throws Error naming the first field that is wrong
 */
export function llamaConfig(
  files: CheckpointFiles,
  defaults: LlamaDefaults = LLAMA_DEFAULTS,
): LlamaConfig {
  const { text_config: own } = parseConfig(Config, files);
  const filled = { text_config: { ...defaults, ...own } };
  const { text_config: text } = parse(z.object({ text_config: Text }), filled, "config.json");
  const H = text.num_attention_heads;
  const head_dim = text.head_dim ?? text.hidden_size / H;
  return {
    ...text,
    num_key_value_heads: text.num_key_value_heads ?? H,
    head_dim,
    rope: ropeSettings(text, head_dim),
  };
}
