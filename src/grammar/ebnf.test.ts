import { describe, expect, test } from "vitest";
import { matcherOf, messageOf } from "../../tests/grammar-support.ts";

function accepts(grammar: string): (text: string) => boolean {
  return matcherOf({ type: "ebnf", grammar });
}

describe("a grammar in GBNF", () => {
  test.each<[string, string, string[], string[]]>([
    ["alternatives", 'root ::= "yes" | "no" | ', ["yes", "no", ""], ["y", "yesno", "maybe"]],
    ["groups", 'root ::= ("a" | "b" "c")* "d"', ["d", "abcad"], ["bd", "", "dd"]],
    ["counts", 'root ::= "a"{2} "b"{1,} "c"{,2} "d"?', ["aab", "aabbccd"], ["ab", "aabccc"]],
    ["classes", "root ::= [a-c_] [^a-c\\n] [-x] [\\]\\-]", ["_zx]", "c--]"], ["azz]", "a\nx]"]],
    ["other scripts", 'root ::= [à-ü日] "🐻" .', ["é🐻語", "日🐻\n"], ["a🐻a", "é🐻"]],
    ["escapes", 'root ::= "\\"\\\\\\n\\x41\\u00e9\\U0001F43B"', ['"\\\nAé🐻'], ['"\\nA']],
    ["recursion", 'root ::= "(" root ")" | "x"', ["x", "((x))"], ["((x)", "()"]],
    [
      "a rule on several lines",
      'root ::= "a"\n  b # then b\n  | "c"\n\nb ::= "b"',
      ["ab", "c"],
      ["a"],
    ],
    ["rules in any order", 'a-b.c ::= "1"\nroot ::= a-b.c a-b.c', ["11"], ["1"]],
    ["operators one after another", 'root ::= "a"?*', ["", "aaa"], ["b"]],
    [
      "empty turns of a loop",
      'root ::= ("a"? "b"?){2,5} "c"',
      ["c", "ababc", "aaaaac"],
      ["aaaaaac"],
    ],
  ])("takes %s", (_, grammar, matched, others) => {
    const matches = accepts(grammar);
    for (const text of matched) expect(matches(text), JSON.stringify(text)).toBe(true);
    for (const text of others) expect(matches(text), JSON.stringify(text)).toBe(false);
  });

  test("nests to any depth", () => {
    const matches = accepts('root ::= "[" root "]" | ""');
    expect(matches("[".repeat(3000) + "]".repeat(3000))).toBe(true);
    expect(matches("[".repeat(3000) + "]".repeat(2999))).toBe(false);
  });

  test.each<[string, string]>([
    ['root ::= "a" b', "line 1, column 14: there is no rule 'b'"],
    ['a ::= "a"', "there is no rule 'root'"],
    ['root ::= "a"\nroot ::= "b"', "line 2, column 1: the rule 'root' is defined twice"],
    ['root = "a"', "line 1, column 1: expected a rule"],
    ["", "there is no rule 'root'"],
    ['root ::= "a', "line 1, column 10: the text has no end"],
    ["root ::= [a", "line 1, column 10: the class has no end"],
    ['root ::= ("a"', "line 1, column 10: this '(' has no ')'"],
    ['root ::= "a")', "line 1, column 13: this ')' has no '('"],
    ['root ::= "a"{2,1}', "line 1, column 13: the numbers are out of order"],
    ['root ::= "a"{x}', "line 1, column 13: expected {n}"],
    ["root ::= [b-a]", "line 1, column 10: a range is out of order"],
    ['root ::= "\\q"', "line 1, column 12: unknown escape '\\q'"],
    ['root ::= "\\U00110000"', "the code point is above U+10FFFF"],
    ["root ::= %", "line 1, column 10: unexpected '%'"],
    ['root ::= root "a" | "a"', "rule 'root' begins with itself"],
    ['root ::= a? b\na ::= "a"\nb ::= a? root | "c"', "rule 'b' begins with itself"],
    ['root ::= "a" root', "no text can match it"],
  ])("%j is refused: %s", (grammar, message) => {
    expect(messageOf(() => accepts(grammar))).toContain(message);
  });
});
