import type { GeneratedToken } from "../engine/generation.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

/** A token and its logprob. */
export interface TokenLogprob {
  /** The token's text, or `bytes:\xf0\x9f` if it is not made of whole characters. */
  readonly token: string;
  /** The UTF-8 bytes of the token. */
  readonly bytes: readonly number[];
  /** Natural logarithm of the probability. */
  readonly logprob: number;
}

/** The logprobs at one position of an answer. */
export interface TokenLogprobs extends TokenLogprob {
  /** The most likely tokens at this position, the most likely first. */
  readonly top: readonly TokenLogprob[];
}

/** @returns the logprobs of a token with texts; undefined if the generator reported none */
export function tokenLogprobs(
  tokenizer: Tokenizer,
  { token: id, logprobs }: GeneratedToken,
): TokenLogprobs | undefined {
  if (!logprobs) return undefined;
  const { logprob, top } = logprobs;
  const withText = (id: number, logprob: number): TokenLogprob => {
    const bytes = [...tokenizer.bytes(id)];
    return { token: tokenText(bytes), bytes, logprob };
  };
  return { ...withText(id, logprob), top: top.map((other) => withText(other.id, other.logprob)) };
}

function tokenText(bytes: readonly number[]): string {
  try {
    const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    return utf8.decode(Uint8Array.from(bytes));
  } catch {
    const escaped = bytes.map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`);
    return `bytes:${escaped.join("")}`;
  }
}
