import { Tokenizer as HubTokenizer } from "@huggingface/tokenizers";
import { type TokenDecoderConfig, Detokenizer, bytesOfToken } from "./detokenizer.ts";

/** A checkpoint's tokenizer. It converts text to ids and back. */
export class Tokenizer {
  /** The special tokens that tokenizer_config.json names, such as `bos_token`, for templates. */
  readonly namedTokens: Readonly<Record<string, string>>;
  readonly #hub: HubTokenizer;
  readonly #decoder: TokenDecoderConfig;
  readonly #specialIds: ReadonlySet<number>;
  #size: number | undefined;

  /**
   * @param tokenizerJson the parsed tokenizer.json
   * @param tokenizerConfig the parsed tokenizer_config.json
   * @throws Error when a part of the tokenizer has an unknown type
   */
  constructor(tokenizerJson: object, tokenizerConfig: object = {}) {
    checkSettings(tokenizerConfig);
    this.namedTokens = namedTokens(tokenizerConfig);
    this.#hub = new HubTokenizer(tokenizerJson, tokenizerConfig);
    const missing = this.#missingTokens(tokenizerConfig);
    if (missing.length > 0) {
      const { added_tokens = [] } = tokenizerJson as { added_tokens?: readonly object[] };
      const more = { ...tokenizerJson, added_tokens: [...added_tokens, ...missing] };
      this.#hub = new HubTokenizer(more, tokenizerConfig);
    }
    const { decoder } = tokenizerJson as { decoder?: TokenDecoderConfig | null };
    if (!decoder) throw new Error("Tokenizer: tokenizer.json has no decoder");
    this.#decoder = decoder;
    const added = [...this.#hub.get_added_tokens_decoder()];
    this.#specialIds = new Set(added.flatMap(([id, token]) => (token.special ? [id] : [])));
    this.detokenizer(); // reports an unknown decoder at load, not in the first answer
  }

  /**
   * @param addSpecialTokens whether the tokenizer adds its own tokens, such as a bos
   * @returns the ids of `text`
   */
  encode(text: string, { addSpecialTokens }: { addSpecialTokens: boolean }): number[] {
    return this.#hub.encode(text, { add_special_tokens: addSpecialTokens }).ids;
  }

  /**
   * Ignores ids outside the vocabulary. Keeps spaces before punctuation, whatever
   * `clean_up_tokenization_spaces` says, because a stream can't take them back.
   *
   * @returns the text of `ids`
   */
  decode(ids: Iterable<number>, options: { skipSpecialTokens?: boolean } = {}): string {
    const detokenizer = this.detokenizer(options);
    let text = "";
    for (const id of ids) text += detokenizer.push(id);
    return text + detokenizer.end();
  }

  /**
   * Creates a detokenizer for one answer.
   *
   * @param options `keptTokens`: special tokens that are not skipped; `after`: the prefix that the
   *   answer continues
   */
  detokenizer(
    options: {
      skipSpecialTokens?: boolean;
      keptTokens?: readonly string[];
      after?: readonly number[];
    } = {},
  ): Detokenizer {
    const { skipSpecialTokens = true, keptTokens = [], after = [] } = options;
    const kept = new Set(keptTokens.map((token) => this.id(token)));
    const skips = (id: number) => this.#specialIds.has(id) && !kept.has(id);
    const detokenizer = new Detokenizer(this.#decoder, (id) =>
      skipSpecialTokens && skips(id) ? undefined : this.token(id),
    );
    if (after.length > 0) detokenizer.continueAfter(after);
    return detokenizer;
  }

  /**
   * @returns the bytes that a token, special or not, stands for in the middle of a text; they may
   *   begin or end within a character. Empty for ids outside the vocabulary.
   */
  bytes(id: number): Uint8Array {
    const token = this.token(id);
    return token === undefined ? new Uint8Array() : bytesOfToken(this.#decoder, token);
  }

  /** @returns whether a token is a special token rather than text */
  isSpecial(id: number): boolean {
    return this.#specialIds.has(id);
  }

  /**
   * The special tokens that tokenizer_config.json names and tokenizer.json does not list. As in
   * transformers, they are cut out of every text. Those that are not in the vocabulary follow its last id.
   */
  #missingTokens(config: SpecialTokens): readonly object[] {
    const { extra_special_tokens: extra, additional_special_tokens: more } = config;
    const known = new Set([...this.#hub.get_added_tokens_decoder().values()].map((t) => t.content));
    const named = [...Object.values(this.namedTokens), ...contents(extra), ...contents(more)];
    let next = this.size;
    return [...new Set(named)]
      .filter((content) => content !== "" && !known.has(content))
      .map((content) => ({ ...PLAIN, id: this.id(content) ?? next++, content, special: true }));
  }

  /** All ids are below this. Some smaller ids may be unused. */
  get size(): number {
    if (this.#size === undefined) {
      let last = -1;
      for (const id of this.#hub.get_vocab().values()) last = Math.max(last, id);
      this.#size = last + 1;
    }
    return this.#size;
  }

  /** @returns the id of a token, or undefined when the vocabulary lacks it */
  id(token: string): number | undefined {
    return this.#hub.token_to_id(token);
  }

  /** @returns the token of an id in the vocabulary's spelling, or undefined when there is none */
  token(id: number): string | undefined {
    return this.#hub.id_to_token(id);
  }
}

/** How an added token is matched by default. */
const PLAIN = { single_word: false, lstrip: false, rstrip: false, normalized: false };

interface SpecialTokens {
  readonly extra_special_tokens?: unknown;
  readonly additional_special_tokens?: unknown;
  readonly split_special_tokens?: unknown;
  readonly add_prefix_space?: unknown;
  readonly tokenizer_class?: unknown;
}

/** Throws Error naming a setting that changes ids in the reference and is not supported. */
function checkSettings(config: SpecialTokens): void {
  const names = ["split_special_tokens"] as const;
  // Of the classes in use, this one alone reads the second. The others take tokenizer.json's.
  const isQwen = /^Qwen2Tokenizer/.test(String(config.tokenizer_class));
  for (const name of isQwen ? ([...names, "add_prefix_space"] as const) : names) {
    if (config[name] !== true) continue;
    throw new Error(`tokenizer_config.json: ${name} is true, expected false`);
  }
}

/** The texts of tokens in a list or a record. */
function contents(tokens: unknown): readonly string[] {
  return Object.values(tokens ?? {}).flatMap((token) => contentOf(token) ?? []);
}

function contentOf(token: unknown): string | undefined {
  const content = (token as { content?: unknown } | null)?.content ?? token;
  return typeof content === "string" ? content : undefined;
}

function namedTokens(config: object): Record<string, string> {
  const tokens: Record<string, string> = {};
  for (const name of Object.keys(config).filter((name) => name.endsWith("_token"))) {
    const content = contentOf((config as Readonly<Record<string, unknown>>)[name]);
    if (content !== undefined) tokens[name] = content;
  }
  return tokens;
}
