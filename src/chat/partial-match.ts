/**
 * Where the longest end of a text begins that could be the beginning of one of these strings: what
 * is before it can't be a part of one. The text's length when there is no such end.
 *
 * @param strings none of which the text contains
 */
export function partialMatchStart(text: string, strings: readonly string[]): number {
  const longest = Math.max(0, ...strings.map((string) => string.length));
  for (let at = Math.max(0, text.length - longest + 1); at < text.length; at++) {
    const end = text.slice(at);
    if (strings.some((string) => string.startsWith(end))) return at;
  }
  return text.length;
}
