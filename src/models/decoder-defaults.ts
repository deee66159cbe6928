import * as z from "zod/mini";
import { parseConfig } from "./config.ts";
import { LLAMA_DEFAULTS, type LlamaDefaults } from "./llama-config.ts";
import type { CheckpointFiles } from "./model.ts";

const QWEN = {
  ...LLAMA_DEFAULTS,
  vocab_size: 151_936,
  num_key_value_heads: 32,
  max_position_embeddings: 32_768,
};

/** The decoders that are Llama's layers, and what transformers' classes have for absent fields. */
const DECODERS = {
  llama: LLAMA_DEFAULTS,
  qwen2: QWEN,
  qwen3: { ...QWEN, head_dim: 128 },
  mistral: { ...LLAMA_DEFAULTS, num_key_value_heads: 8, max_position_embeddings: 131_072 },
} satisfies Record<string, LlamaDefaults>;

/** A `text_config.model_type` that `llama` runs. */
export type DecoderType = keyof typeof DECODERS;

const Config = z.object({
  text_config: z.object({ model_type: z.nullish(z.string()) }),
});

/**
 * What the class of a checkpoint's decoder has for absent fields of `text_config`. A decoder of another
 * type may have the same weight names, and answers plausibly and wrongly if run as Llama: Granite
 * multiplies states.
 *
 * @param otherwise the family's default of `model_type`
 * @throws Error naming a `model_type` that is not supported
 */
export function decoderDefaults(files: CheckpointFiles, otherwise: DecoderType): LlamaDefaults {
  const { model_type } = parseConfig(Config, files).text_config;
  const type = model_type ?? otherwise;
  if (Object.hasOwn(DECODERS, type)) return { model_type: type, ...DECODERS[type as DecoderType] };
  throw new Error(
    `config.json: text_config.model_type is ${JSON.stringify(type)}, ` +
      `supported: ${Object.keys(DECODERS).join(", ")}`,
  );
}
