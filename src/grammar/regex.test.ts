import { describe, expect, test } from "vitest";
import { expressionMatcher, matcherOf, messageOf } from "../../tests/grammar-support.ts";
import { random } from "../../tests/seeded.ts";
import { compileGrammar } from "./compile-grammar.ts";
import { GrammarCompiler } from "./grammar.ts";
import { regexExpression } from "./regex.ts";

const PATTERNS = [
  "abc",
  "a|bc|",
  "(a|b)*c",
  "a{2}b{1,}c{0,2}",
  "a*?b+?c??",
  "[a-c]+",
  "[^a-c]",
  "[-a]|[a-]|[\\]b]|[\\d\\-c]",
  "\\d\\w\\s?",
  "\\D|\\W\\S",
  ".",
  "\\.\\*\\\\",
  "\\x61\\u0062\\u{1F43B}|\\ud83d\\udc3b",
  "\\t|\\n|\\cJ|\\0",
  "(?:ab)+|(?<name>é)",
  "^a|b$",
  "^(a|b)$",
  "[\\b]|[\\s.]",
  "[^]a|[]",
  "((a{1,2}){2}|){2}",
];

/** Pieces of texts that match the patterns or nearly do. */
const ALPHABET = ["abc", ".*\\", ..."aabbcc19_-. \n\t]\\*é🐻\u00a0\b\0"];

describe("a regular expression", () => {
  test.each(PATTERNS)("%s matches what JavaScript's RegExp matches", (pattern) => {
    const below = random(7);
    const whole = new RegExp(`^(?:${pattern})$`, "u");
    const anywhere = new RegExp(pattern, "u");
    const matches = matcherOf({ type: "regex", pattern });
    const contains = expressionMatcher(() => regexExpression(pattern, "anywhere"));
    // The one difference: \s does not match space beyond ASCII.
    const mayDiffer = /\\s/.test(pattern);
    let matched = 0;
    for (let round = 0; round < 3000; round++) {
      const length = below(6);
      const text = Array.from({ length }, () => ALPHABET[below(ALPHABET.length)]).join("");
      if (mayDiffer && text.includes("\u00a0")) continue;
      // Inner anchors, as in `^(?:^a|b$)$`, do not change what a whole match is.
      expect(matches(text), `whole ${JSON.stringify(text)}`).toBe(whole.test(text));
      expect(contains(text), `in ${JSON.stringify(text)}`).toBe(anywhere.test(text));
      if (whole.test(text)) matched++;
    }
    expect(matched, "texts that matched").toBeGreaterThan(0);
  });

  test("counts repetitions without expanding them", () => {
    const matches = matcherOf({ type: "regex", pattern: "(?:ab){1000,100000}" });
    expect(matches("ab".repeat(999))).toBe(false);
    expect(matches("ab".repeat(1000))).toBe(true);
    expect(matches("ab".repeat(5000))).toBe(true);
    expect(matches(`${"ab".repeat(5000)}a`)).toBe(false);
  });

  test("may have Python's group names and needless escapes", () => {
    expect(matcherOf({ type: "regex", pattern: "(?P<year>\\d{4})" })("2024")).toBe(true);
    expect(matcherOf({ type: "regex", pattern: "\\d\\-\\'\\_[\\-\\\"]" })("1-'_\"")).toBe(true);
  });

  test.each<[string, string]>([
    ["a(?=b)", "look-ahead after its beginning, which is not supported"],
    ["(a|(?!b))", "look-ahead after its beginning, which is not supported"],
    ["(?<=a)b", "look-behind, which is not supported"],
    ["(?<!a)b", "look-behind, which is not supported"],
    ["(a)\\1", "back references, which is not supported"],
    ["(?<x>a)\\k<x>", "back references, which is not supported"],
    ["\\bword\\b", "word boundaries, which is not supported"],
    ["\\p{L}+", "Unicode properties, which is not supported"],
    ["a^b", "'^' after its beginning, which is not supported"],
    ["a$b", "'$' before its end, which is not supported"],
    ["(a$)", "'$' before its end, which is not supported"],
    ["(a", "Unterminated group"],
    ["a**", "Nothing to repeat"],
    ["[b-a]", "Range out of order"],
    ["\\y", "Invalid escape"],
  ])("%s is refused: %s", (pattern, message) => {
    expect(messageOf(() => matcherOf({ type: "regex", pattern }))).toContain(message);
  });

  test.each([
    "^(?=.*\\d)(?=.*[a-z])[a-z\\d]{2,4}$",
    "^(?!ab|b$)[ab]*$",
    "^(?!a)a?b|^(?=c)[bc]+$",
    "^(?!\\.)(?!.*\\.\\.)[ab.]+$",
  ])("%s looks ahead as JavaScript's RegExp does", (pattern) => {
    const below = random(9);
    const expected = new RegExp(pattern, "u");
    const matches = expressionMatcher(() => regexExpression(pattern, "anywhere"));
    let matched = 0;
    for (let round = 0; round < 3000; round++) {
      const text = Array.from({ length: below(6) }, () => "ab.1c"[below(5)]).join("");
      expect(matches(text), text).toBe(expected.test(text));
      if (expected.test(text)) matched++;
    }
    expect(matched).toBeGreaterThan(10);
  });

  test("that matches no text is refused", async () => {
    const vocabulary = { size: 1, bytes: () => Uint8Array.of(0x61), isSpecial: () => false };
    const compiler = new GrammarCompiler(vocabulary, compileGrammar);
    for (const pattern of ["a[]", "(?!a)ab", "(?=a)(?=b).*", "(?!a{1000})a{2000}"]) {
      await expect(compiler.compile({ type: "regex", pattern })).rejects.toThrow("no text");
    }
  });
});
