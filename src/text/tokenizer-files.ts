import type { CheckpointFiles } from "../models/model.ts";

/** Splits text before byte-pair encoding, as transformers' Qwen2Tokenizer does. */
const QWEN2_PIECES =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" +
  "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: false };

/** What a tokenizer's class fixes, by its name in tokenizer_config.json. */
const CLASSES: Readonly<Record<string, object>> = {
  Qwen2Tokenizer: {
    normalizer: { type: "NFC" },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: QWEN2_PIECES }, behavior: "Isolated", invert: false },
        { ...byteLevel, use_regex: false },
      ],
    },
  },
  GPT2Tokenizer: { pre_tokenizer: { ...byteLevel, use_regex: true } },
};

interface TokenizerConfig {
  readonly tokenizer_class?: string | null;
  readonly added_tokens_decoder?: Readonly<Record<string, object>>;
}

/**
 * A checkpoint's tokenizer.json. Where it has none, it is built from vocab.json, merges.txt and
 * tokenizer_config.json, as transformers does.
 *
 * @returns undefined when the checkpoint has neither
 * @throws Error naming a `tokenizer_class` that can't be built
 */
export function tokenizerJson(files: CheckpointFiles): object | undefined {
  const own = files["tokenizer.json"] as object | undefined;
  const merges = files["merges.txt"];
  if (own || typeof merges !== "string") return own;
  const { tokenizer_class, added_tokens_decoder = {} } = (files["tokenizer_config.json"] ??
    {}) as TokenizerConfig;
  const parts = CLASSES[tokenizer_class?.replace(/Fast$/, "") ?? ""];
  if (!parts) {
    throw new Error(
      `tokenizer_config.json: tokenizer_class is ${tokenizer_class ?? "missing"}, supported ` +
        `without tokenizer.json: ${Object.keys(CLASSES).join(", ")}`,
    );
  }
  const lines = merges
    .split(/\r?\n/)
    .filter((line, i) => line && !(i === 0 && /^#version/.test(line)));
  return {
    normalizer: null,
    post_processor: null,
    ...parts,
    model: { type: "BPE", vocab: files["vocab.json"], merges: lines },
    decoder: { type: "ByteLevel" },
    added_tokens: Object.entries(added_tokens_decoder).map(([id, token]) => ({
      id: Number(id),
      ...token,
    })),
  };
}
