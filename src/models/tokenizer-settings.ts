import type { CheckpointFiles } from "./model.ts";

/**
 * The settings of a checkpoint's tokenizer. As in transformers, the special tokens in
 * special_tokens_map.json replace those of tokenizer_config.json, but only in early files, which have no
 * `added_tokens_decoder`.
 */
export function tokenizerSettings(files: CheckpointFiles): Readonly<Record<string, unknown>> {
  const settings = (files["tokenizer_config.json"] ?? {}) as Readonly<Record<string, unknown>>;
  const more = files["special_tokens_map.json"] as object | undefined;
  return more && !("added_tokens_decoder" in settings) ? { ...settings, ...more } : settings;
}
