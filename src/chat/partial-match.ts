/**
 * The start of the longest suffix of `text` that is a prefix of one of `strings`. No string can begin
 * before it, whatever text follows.
 *
 * @param strings strings that `text` doesn't contain
 * @returns an index into `text`; its length if no suffix matches
 */
export function partialMatchStart(text: string, strings: readonly string[]): number {
  const longest = Math.max(0, ...strings.map((string) => string.length));
  for (let at = Math.max(0, text.length - longest + 1); at < text.length; at++) {
    const end = text.slice(at);
    if (strings.some((string) => string.startsWith(end))) return at;
  }
  return text.length;
}
