import type { Tokenizer } from "../src/text/tokenizer.ts";

interface Answer {
  readonly output_ids: readonly number[];
  readonly text: string;
}

/**
 * A recorded answer as clients get it. The reference ends in U+FFFD where the tokens end in the
 * middle of a character; nothing of that is told here.
 */
export function cutText({ output_ids, text }: Answer, tokenizer: Tokenizer): string {
  const utf8 = new TextDecoder();
  const bytes = output_ids.flatMap((id) => [...tokenizer.bytes(id)]);
  utf8.decode(Uint8Array.from(bytes), { stream: true });
  return utf8.decode() === "" ? text : text.slice(0, -1);
}
