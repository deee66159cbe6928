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
  const ids = output_ids.filter((id) => !tokenizer.isSpecial(id));
  const isByte = (id: number) => /^<0x..>$/.test(tokenizer.token(id) ?? "");
  const run = ids.slice(ids.findLastIndex((id) => !isByte(id)) + 1);
  // Tokens that are bytes become a U+FFFD each, all of a run, unless it is UTF-8 from end to end.
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

/** Whether a decoder still holds the beginning of a character. */
function isUnfinished(utf8: TextDecoder): boolean {
  try {
    return utf8.decode() !== "";
  } catch {
    return true;
  }
}
