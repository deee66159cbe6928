import type { Tokenizer } from "../src/text/tokenizer.ts";

interface Answer {
  readonly output_ids: readonly number[];
  readonly text: string;
}

/**
 * The text of a recorded answer as clients get it. Where the tokens end in the middle of a character, the
 * reference ends with U+FFFD, and our answers end before that character.
 */
export function cutText({ output_ids, text }: Answer, tokenizer: Tokenizer): string {
  const ids = output_ids.filter((id) => !tokenizer.isSpecial(id));
  const isByte = (id: number) => /^<0x..>$/.test(tokenizer.token(id) ?? "");
  const run = ids.slice(ids.findLastIndex((id) => !isByte(id)) + 1);
  // In a run of byte tokens that is not UTF-8 as a whole, the reference turns each token into U+FFFD.
  const [last, replaced] = run.length > 0 ? [run, run.length] : [ids, 1];
  const utf8 = new TextDecoder("utf-8", { fatal: run.length > 0 });
  const bytes = Uint8Array.from(last.flatMap((id) => [...tokenizer.bytes(id)]));
  try {
    const finished = utf8.decode(bytes, { stream: true });
    if (!isUnfinished(utf8)) return text;
    return text.slice(0, -replaced) + (run.length > 0 ? finished : "");
  } catch {
    return text; // not UTF-8 before its end either
  }
}

/** @returns whether a decoder waits for the rest of a character */
function isUnfinished(utf8: TextDecoder): boolean {
  try {
    return utf8.decode() !== "";
  } catch {
    return true;
  }
}
