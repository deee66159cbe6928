/** One step of a tokenizer's decoder. It takes pieces and returns text that can no longer change. */
interface Stage {
  push(piece: string): string;
  end(): string;
}

/** The `decoder` of a tokenizer.json. */
export interface TokenDecoderConfig {
  readonly type: string;
  readonly decoders?: readonly TokenDecoderConfig[];
  readonly pattern?: { readonly String?: string; readonly Regex?: string };
  readonly content?: string;
  readonly start?: number;
  readonly stop?: number;
  readonly replacement?: string;
  readonly prepend_scheme?: string;
}

const UTF8 = new TextEncoder();

/**
 * Turns a stream of tokens into text. The results of `push` and `end`, joined, are the text of all
 * tokens. No result ends within a character. Invalid UTF-8 in the middle of the text becomes U+FFFD. An
 * unfinished character at the end is dropped.
 */
export class Detokenizer {
  readonly #decoder: TokenDecoderConfig;
  readonly #stages: readonly Stage[];
  readonly #tokenOf: (id: number) => string | undefined;
  /** UTF-16 units of the prefix that have not been skipped yet. */
  #due = 0;

  /**
   * @param decoder the `decoder` of tokenizer.json
   * @param tokenOf returns the token of an id, or undefined to leave it out
   * @throws Error when the decoder has an unknown step
   */
  constructor(decoder: TokenDecoderConfig, tokenOf: (id: number) => string | undefined) {
    this.#decoder = decoder;
    this.#stages = stagesOf(decoder);
    this.#tokenOf = tokenOf;
  }

  /**
   * Continues after a prefix: `push` and `end` return only the text that follows it. A character split
   * across the border is dropped.
   */
  continueAfter(ids: readonly number[]): void {
    const alone = new Detokenizer(this.#decoder, this.#tokenOf);
    const text = ids.map((id) => alone.push(id)).join("") + alone.end();
    const pushed = ids.map((id) => this.push(id)).join("");
    this.#due = text.length - pushed.length;
  }

  /** Adds a token. @returns the text that can no longer change, which may be empty */
  push(id: number): string {
    const token = this.#tokenOf(id);
    return token === undefined
      ? ""
      : this.#afterPrefix(this.#stages.reduce((t, s) => s.push(t), token));
  }

  /** Ends the text. @returns the text that was held back */
  end(): string {
    const last = this.#stages.reduce((text, stage) => {
      const last = text === "" ? "" : stage.push(text);
      return last + stage.end();
    }, "");
    return this.#afterPrefix(last);
  }

  #afterPrefix(text: string): string {
    const own = text.slice(this.#due);
    this.#due -= text.length - own.length;
    return own;
  }
}

function stagesOf(decoder: TokenDecoderConfig): Stage[] {
  const steps = decoder.type === "Sequence" ? (decoder.decoders ?? []) : [decoder];
  let fused = false;
  return steps.map((step) => {
    fused ||= step.type === "Fuse";
    switch (step.type) {
      case "ByteLevel":
        return byteLevel();
      case "ByteFallback":
        return byteFallback();
      case "Replace":
        return replace(step);
      case "Metaspace":
        return metaspace(step);
      case "Fuse": // joins the pieces, as the reader of a stream does
        return stateless((text) => text);
      case "Strip":
        if (fused && !step.stop) return stripStart(step.content ?? " ", step.start ?? 0);
    }
    throw new Error(`Detokenizer: unknown decoder step ${JSON.stringify(step)}`);
  });
}

/**
 * @param decoder the `decoder` of tokenizer.json, with known steps only
 * @returns the bytes that one token stands for in the middle of a text
 */
export function bytesOfToken(decoder: TokenDecoderConfig, token: string): Uint8Array {
  let text = token;
  for (const step of decoder.type === "Sequence" ? (decoder.decoders ?? []) : [decoder]) {
    if (step.type === "ByteLevel") return tokenBytes(text);
    const byte = step.type === "ByteFallback" ? byteOf(text) : undefined;
    if (byte !== undefined) return Uint8Array.of(byte);
    if (step.type === "Replace") text = replace(step).push(text);
    if (step.type === "Metaspace") text = text.replaceAll(step.replacement ?? "▁", " ");
  }
  return UTF8.encode(text);
}

function stateless(map: (text: string) => string): Stage {
  return { push: map, end: () => "" };
}

function replace({ pattern, content = "" }: TokenDecoderConfig): Stage {
  const from = pattern?.String ?? new RegExp(pattern?.Regex ?? "", "gu");
  return stateless((text) => text.replaceAll(from, () => content));
}

/** SentencePiece's word boundary is a space, except at the start of the text. */
function metaspace({ replacement = "▁", prepend_scheme = "always" }: TokenDecoderConfig): Stage {
  let first = prepend_scheme !== "never";
  return stateless((text) => {
    const rest = first && text.startsWith(replacement) ? text.slice(replacement.length) : text;
    first = false;
    return rest.replaceAll(replacement, " ");
  });
}

function stripStart(content: string, count: number): Stage {
  let left = count;
  return stateless((text) => {
    let from = 0;
    for (; left > 0 && from < text.length; left--) {
      if (text[from] === content) from++;
      else left = 1;
    }
    return text.slice(from);
  });
}

/** Byte-level BPE: each character of a token stands for one byte. */
function byteLevel(): Stage {
  const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
  return {
    push: (token) => utf8.decode(tokenBytes(token), { stream: true }),
    end: () => "", // the decoder holds at most an unfinished character
  };
}

function tokenBytes(token: string): Uint8Array {
  const bytes = [];
  for (const character of token) {
    const byte = BYTE_OF.get(character);
    // An added token is plain text and may contain characters outside the alphabet.
    if (byte === undefined) return UTF8.encode(token);
    bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

/** GPT-2's alphabet: printable Latin-1 stands for itself, the other bytes for U+0100 and above. */
const BYTE_OF = new Map<string, number>();
for (let byte = 0, others = 0; byte < 256; byte++) {
  const printable =
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xff && byte !== 0xad);
  BYTE_OF.set(String.fromCodePoint(printable ? byte : 0x100 + others++), byte);
}

/**
 * Tokens such as `<0xE2>` are bytes. A run of them is held until it ends, because the reference writes
 * one U+FFFD per byte if any part of the run is invalid UTF-8.
 */
function byteFallback(): Stage {
  let run: number[] = [];
  const flush = ({ stream }: { stream: boolean }) => {
    const bytes = Uint8Array.from(run);
    run = [];
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes, { stream });
    } catch {
      return "\uFFFD".repeat(bytes.length);
    }
  };
  return {
    push(token) {
      const byte = byteOf(token);
      if (byte === undefined) return flush({ stream: false }) + token;
      run.push(byte);
      return "";
    },
    end: () => flush({ stream: true }), // drops an unfinished character
  };
}

/** @returns the byte that a token such as `<0xE2>` stands for, else undefined */
function byteOf(token: string): number | undefined {
  const hex = /^<0x([0-9A-Fa-f]{2})>$/.exec(token)?.[1];
  return hex === undefined ? undefined : parseInt(hex, 16);
}
