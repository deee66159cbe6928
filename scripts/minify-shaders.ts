import { readFile } from "node:fs/promises";
import type { Plugin } from "vite";

/**
 * Removes comments and spaces from the shaders of a build. The worker of a build needs the plugin,
 * too (`worker.plugins`).
 */
export function minifyShaders(): Plugin {
  return {
    name: "minify-shaders",
    apply: "build",
    enforce: "pre", // Vite's own plugin would load `?raw` first.
    load: {
      filter: { id: /\.wgsl\?raw$/ },
      async handler(id) {
        const [file = ""] = id.split("?");
        return `export default ${JSON.stringify(minifyWgsl(await readFile(file, "utf8")))};`;
      },
    },
  };
}

const WORD = /\w/;
const OPERATOR = /[-+*/%&|^<>=!~]/;

/**
 * Removes comments, indentation, empty lines, and spaces that separate no tokens. A line stays a
 * line, because a compilation error quotes the line that it is about.
 *
 * @throws Error for a block comment, which no shader has
 */
export function minifyWgsl(code: string): string {
  const lines = code.split("\n").map((line) => {
    const text = line
      .replace(/\/\/.*/, "")
      .trim()
      .replace(/\s+/g, " ");
    if (text.includes("/*")) {
      throw new Error(`minifyWgsl: the block comment in "${text}"; expected only // comments`);
    }
    return text.replace(/(\S) (?=(\S))/g, (pair, before: string, after: string) =>
      mayBeOneToken(before, after) ? pair : before,
    );
  });
  return `${lines.filter((line) => line !== "").join("\n")}\n`;
}

/** Whether two characters without a space between them may be one token. */
function mayBeOneToken(before: string, after: string): boolean {
  return [WORD, OPERATOR].some((kind) => kind.test(before) && kind.test(after));
}
