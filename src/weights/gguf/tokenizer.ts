import { mergesOf } from "./merges.ts";
import type { Metadata } from "./metadata.ts";

/** The values of tokenizer.ggml.token_type that are no plain text. */
const CONTROL = 3;
const USER_DEFINED = 4;
const UNUSED = 5;

/** How SentencePiece writes a space. */
const SPACE = "\u2581";

/** A family's token that llama.cpp's vocabulary lacks. */
export interface ExtraToken {
  readonly content: string;
  readonly id: number;
}

/** tokenizer.json, tokenizer_config.json and generation_config.json of a GGUF file, by file name. */
export interface TokenizerFiles {
  readonly files: Readonly<Record<string, object>>;
  /** @returns the id of a token; throws Error when the vocabulary lacks it */
  readonly tokenId: (token: string) => number;
  /** Number of entries of the vocabulary, unused ones included. */
  readonly size: number;
}

/**
 * A checkpoint's tokenizer, special tokens, chat template and settings for generation from the
 * metadata of a GGUF file.
 *
 * @throws Error naming a key that is missing or not supported
 */
export function ggufTokenizer(
  file: string,
  metadata: Metadata,
  extra: (size: number) => readonly ExtraToken[] = () => [],
): TokenizerFiles {
  const tokens = metadata.get("tokenizer.ggml.tokens") as readonly string[] | undefined;
  if (!tokens) throw new Error(`${file}: tokenizer.ggml.tokens is missing`);
  const types = metadata.numbers("tokenizer.ggml.token_type");
  const kind = metadata.text("tokenizer.ggml.model");
  const vocabulary: Vocabulary = { tokens, types, extra: extra(tokens.length) };
  const json =
    kind === "gpt2"
      ? byteLevelJson(file, metadata, vocabulary)
      : kind === "llama"
        ? sentencePieceJson(metadata, vocabulary)
        : undefined;
  if (!json) {
    throw new Error(`${file}: tokenizer.ggml.model is ${kind}, supported: gpt2, llama`);
  }
  const ids = new Map(tokens.map((token, id) => [token, id]));
  for (const { content, id } of vocabulary.extra) ids.set(content, id);
  return {
    files: {
      "tokenizer.json": json,
      "tokenizer_config.json": tokenizerConfig(metadata, tokens),
      "generation_config.json": generationConfig(metadata, vocabulary),
    },
    size: tokens.length,
    tokenId(token) {
      const id = ids.get(token);
      if (id === undefined) throw new Error(`${file}: the vocabulary has no token ${token}`);
      return id;
    },
  };
}

interface Vocabulary {
  readonly tokens: readonly string[];
  readonly types: readonly number[];
  readonly extra: readonly ExtraToken[];
}

/** What splits text before byte-pair encoding. */
interface PreTokenizer {
  readonly normalizer: object | null;
  readonly pre_tokenizer: object;
}

const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true };

/** Qwen 2's pieces of text. */
const QWEN2 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" +
  "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** A pattern whose matches are pieces, and the rest. */
const splitBy = (pattern: string): object => ({
  type: "Sequence",
  pretokenizers: [
    { type: "Split", pattern: { Regex: pattern }, behavior: "Isolated", invert: false },
    { ...byteLevel, use_regex: false },
  ],
});

/** By tokenizer.ggml.pre, as the tokenizers have it that llama.cpp's names stand for. */
const PRE_TOKENIZERS: Readonly<Record<string, PreTokenizer>> = {
  qwen2: {
    normalizer: { type: "NFC" },
    pre_tokenizer: splitBy(QWEN2),
  },
  // Llama 3's pieces: up to three digits are one.
  lfm2: {
    normalizer: null,
    pre_tokenizer: splitBy(QWEN2.replace("\\p{N}|", "\\p{N}{1,3}|")),
  },
  smollm: {
    normalizer: null,
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Digits", individual_digits: true },
        { ...byteLevel, use_regex: true },
      ],
    },
  },
};

function byteLevelJson(file: string, metadata: Metadata, vocabulary: Vocabulary): object {
  const pre = metadata.text("tokenizer.ggml.pre");
  const parts = Object.hasOwn(PRE_TOKENIZERS, pre) ? PRE_TOKENIZERS[pre] : undefined;
  if (!parts) {
    const known = Object.keys(PRE_TOKENIZERS).join(", ");
    throw new Error(`${file}: tokenizer.ggml.pre is ${pre}, supported: ${known}`);
  }
  const merges = metadata.get("tokenizer.ggml.merges");
  if (!merges) throw new Error(`${file}: tokenizer.ggml.merges is missing`);
  return {
    added_tokens: addedTokens(vocabulary, (content) => content),
    ...parts,
    post_processor: addsBos(metadata, vocabulary, false),
    decoder: byteLevel,
    model: { type: "BPE", vocab: vocabOf(vocabulary, false), merges },
  };
}

function sentencePieceJson(metadata: Metadata, vocabulary: Vocabulary): object {
  const { tokens, types } = vocabulary;
  const scores = metadata.numbers("tokenizer.ggml.scores");
  const piece = (token: string) => token.replaceAll(" ", SPACE);
  const spelled = tokens.map((token, id) => (types[id] === USER_DEFINED ? piece(token) : token));
  const vocab = vocabOf({ ...vocabulary, tokens: spelled }, true);
  // Converters give added tokens a low score; SentencePiece prefers them to all others.
  const scoreOf = (id: number) => (types[id] === USER_DEFINED ? 0 : (scores[id] ?? 0));
  const replace = { type: "Replace", pattern: { String: " " }, content: SPACE };
  const unknown = tokens[metadata.numberOr("tokenizer.ggml.unknown_token_id", -1)];
  return {
    added_tokens: addedTokens(vocabulary, piece),
    normalizer:
      metadata.get("tokenizer.ggml.add_space_prefix") === false
        ? replace
        : { type: "Sequence", normalizers: [{ type: "Prepend", prepend: SPACE }, replace] },
    pre_tokenizer: {
      ...{ type: "Split", pattern: { String: " " }, behavior: "MergedWithPrevious", invert: false },
    },
    post_processor: addsBos(metadata, vocabulary, true),
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: SPACE }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
      ],
    },
    model: {
      ...{ type: "BPE", unk_token: unknown ?? null, fuse_unk: true, byte_fallback: true },
      vocab,
      merges: mergesOf(vocab, scoreOf),
    },
  };
}

/** @param all whether added tokens are entries, too */
function vocabOf({ tokens, types }: Vocabulary, all: boolean): Record<string, number> {
  const isAdded = (type: number | undefined) => type === CONTROL || type === USER_DEFINED;
  return Object.fromEntries(
    tokens.flatMap((token, id): [string, number][] => {
      const type = types[id];
      return type === UNUSED || (!all && isAdded(type)) ? [] : [[token, id]];
    }),
  );
}

function addedTokens(
  { tokens, types, extra }: Vocabulary,
  spelling: (token: string) => string,
): object[] {
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  const own = tokens.flatMap((token, id) => {
    const type = types[id];
    if (type === CONTROL) return [{ id, content: token, ...flags, special: true }];
    if (type !== USER_DEFINED) return [];
    return [{ id, content: spelling(token), ...flags, special: false }];
  });
  return [...own, ...extra.map((token) => ({ ...token, ...flags, special: true }))];
}

/** @param otherwise whether a bos is added if the file does not say so */
function addsBos(metadata: Metadata, { tokens }: Vocabulary, otherwise: boolean): object | null {
  const adds = metadata.get("tokenizer.ggml.add_bos_token") ?? otherwise;
  const id = metadata.numberOr("tokenizer.ggml.bos_token_id", -1);
  const bos = tokens[id];
  if (adds !== true || bos === undefined) return null;
  const special = { SpecialToken: { id: bos, type_id: 0 } };
  return {
    type: "TemplateProcessing",
    single: [special, { Sequence: { id: "A", type_id: 0 } }],
    pair: [],
    special_tokens: { [bos]: { id: bos, ids: [id], tokens: [bos] } },
  };
}

function tokenizerConfig(metadata: Metadata, tokens: readonly string[]): object {
  const named = Object.entries({ bos: "bos", eos: "eos", unk: "unknown", pad: "padding" });
  const special = named.flatMap(([name, key]) => {
    const token = tokens[metadata.numberOr(`tokenizer.ggml.${key}_token_id`, -1)];
    return token === undefined ? [] : [[`${name}_token`, token]];
  });
  const template = metadata.get("tokenizer.chat_template");
  const further = (metadata.get("tokenizer.chat_templates") ?? []) as readonly string[];
  const list = further.map((name) => {
    return { name, template: metadata.get(`tokenizer.chat_template.${name}`) };
  });
  return {
    ...Object.fromEntries(special),
    ...(template !== undefined && {
      chat_template: list.length > 0 ? [{ name: "default", template }, ...list] : template,
    }),
  };
}

/** Control tokens at which llama.cpp ends an answer, whatever the metadata says. */
const ENDS = [
  ...["<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>"],
  ...["<EOT>", "<end_of_utterance>"],
];

function generationConfig(metadata: Metadata, { tokens, types }: Vocabulary): object {
  const id = (name: string) => metadata.numberOr(`tokenizer.ggml.${name}_token_id`, undefined);
  const named = ["eos", "eot", "eom"].flatMap((name) => id(name) ?? []);
  const ends = tokens.flatMap((token, i) =>
    types[i] === CONTROL && ENDS.includes(token) ? [i] : [],
  );
  const sampling = (name: string) => metadata.numberOr(`general.sampling.${name}`, undefined);
  const temperature = sampling("temp");
  return {
    bos_token_id: id("bos"),
    pad_token_id: id("padding"),
    eos_token_id: [...new Set([...named, ...ends])],
    ...(temperature && { do_sample: true, temperature }),
    top_k: sampling("top_k"),
    top_p: sampling("top_p"),
    min_p: sampling("min_p"),
    repetition_penalty: sampling("penalty_repeat"),
  };
}
