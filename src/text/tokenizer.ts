import { Tokenizer as HubTokenizer } from "@huggingface/tokenizers";
import { type TokenDecoderConfig, Detokenizer, bytesOfToken } from "./detokenizer.ts";

/** A checkpoint's tokenizer: text to ids and back. */
export class Tokenizer {
  /** Named special tokens of tokenizer_config.json, such as `bos_token`, as templates use them. */
  readonly namedTokens: Readonly<Record<string, string>>;
  readonly #hub: HubTokenizer;
  readonly #decoder: TokenDecoderConfig;
  readonly #specialIds: ReadonlySet<number>;
  #size: number | undefined;

  /**
   * @param tokenizerJson the parsed tokenizer.json
   * @param tokenizerConfig the parsed tokenizer_config.json
   * @throws Error when a part of the tokenizer is of an unknown kind
   */
  constructor(tokenizerJson: object, tokenizerConfig: object = {}) {
    this.#hub = new HubTokenizer(tokenizerJson, tokenizerConfig);
    const { decoder } = tokenizerJson as { decoder?: TokenDecoderConfig | null };
    if (!decoder) throw new Error("Tokenizer: tokenizer.json has no decoder");
    this.#decoder = decoder;
    const added = [...this.#hub.get_added_tokens_decoder()];
    this.#specialIds = new Set(added.flatMap(([id, token]) => (token.special ? [id] : [])));
    this.namedTokens = namedTokens(tokenizerConfig);
    this.detokenizer(); // an unknown decoder is told at load, not in the first answer
  }

  /** The ids of `text`; `addSpecialTokens` lets the tokenizer add its own, such as a bos. */
  encode(text: string, { addSpecialTokens }: { addSpecialTokens: boolean }): number[] {
    return this.#hub.encode(text, { add_special_tokens: addSpecialTokens }).ids;
  }

  /**
   * The text of `ids`. Ids that the vocabulary does not have are left out. Spaces before
   * punctuation stay, whatever `clean_up_tokenization_spaces` says: a stream can't take them back.
   */
  decode(ids: Iterable<number>, options: { skipSpecialTokens?: boolean } = {}): string {
    const detokenizer = this.detokenizer(options);
    let text = "";
    for (const id of ids) text += detokenizer.push(id);
    return text + detokenizer.end();
  }

  /**
   * A fresh decoder for one answer.
   *
   * @param options `keptTokens`: special tokens that are not skipped; `after`: the answer goes on
   *   the text of these
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
    if (after.length > 0) detokenizer.goOn(after);
    return detokenizer;
  }

  /**
   * The bytes that a token stands for in the middle of a text, special ones included. They need not
   * be whole characters. None for ids that the vocabulary does not have.
   */
  bytes(id: number): Uint8Array {
    const token = this.token(id);
    return token === undefined ? new Uint8Array() : bytesOfToken(this.#decoder, token);
  }

  /** Whether a token is special: a mark of its own, no part of a text. */
  isSpecial(id: number): boolean {
    return this.#specialIds.has(id);
  }

  /** Ids are below this; not all need be there. */
  get size(): number {
    if (this.#size === undefined) {
      let last = -1;
      for (const id of this.#hub.get_vocab().values()) last = Math.max(last, id);
      this.#size = last + 1;
    }
    return this.#size;
  }

  /** The id of a token, undefined when the vocabulary does not have it. */
  id(token: string): number | undefined {
    return this.#hub.token_to_id(token);
  }

  /** The token of an id as the vocabulary spells it, undefined when it has none. */
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
