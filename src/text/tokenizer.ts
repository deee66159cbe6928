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
    this.#hub = new HubTokenizer(tokenizerJson, tokenizerConfig);
    const { decoder } = tokenizerJson as { decoder?: TokenDecoderConfig | null };
    if (!decoder) throw new Error("Tokenizer: tokenizer.json has no decoder");
    this.#decoder = decoder;
    const added = [...this.#hub.get_added_tokens_decoder()];
    this.#specialIds = new Set(added.flatMap(([id, token]) => (token.special ? [id] : [])));
    this.namedTokens = namedTokens(tokenizerConfig);
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

function namedTokens(config: object): Record<string, string> {
  const tokens: Record<string, string> = {};
  for (const [name, value] of Object.entries(config)) {
    if (!name.endsWith("_token")) continue;
    const content = (value as { content?: unknown } | null)?.content ?? value;
    if (typeof content === "string") tokens[name] = content;
  }
  return tokens;
}
