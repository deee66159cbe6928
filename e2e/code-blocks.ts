import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./root.ts";

/** A fenced block of code of a documentation page. */
export interface CodeBlock {
  readonly language: string;
  /** The file name of a block that begins with ```` ```js title="file.js" ````. */
  readonly title: string | undefined;
  readonly code: string;
  /** Its expected output: the `text` block that follows. */
  readonly output: string | undefined;
  /** The reason why it is not run, from a comment before it: `<!-- not run: why -->`. */
  readonly notRun: string | undefined;
}

/**
 * The code blocks of a documentation page in their order.
 *
 * @param page its path from the root of the repository
 * @throws Error when a fence belongs to no block
 */
export function codeBlocks(page: string): CodeBlock[] {
  const markdown = readFileSync(join(ROOT, page), "utf8");
  const pattern =
    /^(?:<!-- not run: ([^]*?) -->\n\n?)?```(\w+)(?: title="([^"]+)")?\n([^]*?)^```$/gm;
  const found = [...markdown.matchAll(pattern)].map(
    ([, notRun, language = "", title, code = ""]) => ({ notRun, language, title, code }),
  );
  const fences = markdown.match(/^\s*```/gm)?.length ?? 0;
  if (fences !== 2 * found.length) {
    throw new Error(`${page}: ${fences} fences are not ${found.length} blocks with a language`);
  }
  return found.flatMap((block, i) => {
    const next = found[i + 1];
    const output = next?.language === "text" ? next.code : undefined;
    return block.language === "text" ? [] : [{ ...block, output }];
  });
}

/** The name of a block's test. */
export function nameOf({ code, title, notRun }: CodeBlock, i: number): string {
  const [first = ""] = code.split("\n");
  return `${i}: ${title ?? first}${notRun === undefined ? "" : ` (not run: ${notRun})`}`;
}
