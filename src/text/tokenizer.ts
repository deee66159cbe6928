import { Tokenizer as HubTokenizer } from "@huggingface/tokenizers";
import { type DecoderConfig, Detokenizer, bytesOfToken } from "./detokenizer.ts";

/** A checkpoint's tokenizer: text to ids and back. */
export class Tokenizer {
  /** Named special tokens of tokenizer_config.json, such as `bos_token`, as templates use them. */
  readonly namedTokens: Readonly<Record<string, string>>;
  readonly #hub: HubTokenizer;
  readonly #decoder: DecoderConfig;
  readonly #specialIds: ReadonlySet<number>;

  /**
   * @param tokenizerJson the parsed tokenizer.json
   * @param tokenizerConfig the parsed tokenizer_config.json
   * @throws Error when a part of the tokenizer is of an unknown kind
   */
  constructor(tokenizerJson: object, tokenizerConfig: object = {}) {
    this.#hub = new HubTokenizer(tokenizerJson, tokenizerConfig);
    const { decoder } = tokenizerJson as { decoder?: DecoderConfig | null };
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

  /** A fresh decoder for one answer. */
  detokenizer({ skipSpecialTokens = true }: { skipSpecialTokens?: boolean } = {}): Detokenizer {
    return new Detokenizer(this.#decoder, (id) =>
      skipSpecialTokens && this.#specialIds.has(id) ? undefined : this.token(id),
    );
  }

  /**
   * The bytes that a token stands for in the middle of a text, special ones included. They need not
   * be whole characters. None for ids that the vocabulary does not have.
   */
  bytes(id: number): Uint8Array {
    const token = this.token(id);
    return token === undefined ? new Uint8Array() : bytesOfToken(this.#decoder, token);
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
