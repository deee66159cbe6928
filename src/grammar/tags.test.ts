import { describe, expect, test } from "vitest";
import { matcherOf, messageOf } from "../../tests/grammar-support.ts";
import type { Tag, TagFormat } from "./source.ts";

const accepts = (format: TagFormat) => matcherOf({ type: "structural_tag", format });

const call = (name: string): Tag => ({
  type: "tag",
  begin: `<call>${name}(`,
  content: { type: "json_schema", json_schema: { type: "integer" } },
  end: ")</call>",
});
const tags = [call("f"), call("g")];

describe("a structural tag", () => {
  test.each<[string, TagFormat, string[], string[]]>([
    [
      "in sequence",
      {
        type: "sequence",
        elements: [
          { type: "const_string", value: "a:" },
          { type: "regex", pattern: "\\d" },
          { type: "grammar", grammar: 'root ::= x x\nx ::= "-"' },
        ],
      },
      ["a:1--"],
      ["a:1-", "1--"],
    ],
    [
      "a choice of grammars with rules of the same name",
      {
        type: "or",
        elements: [
          { type: "grammar", grammar: 'root ::= x\nx ::= "1"' },
          { type: "grammar", grammar: 'root ::= x\nx ::= "2"' },
        ],
      },
      ["1", "2"],
      ["3"],
    ],
    ["of any text", { type: "any_text" }, ["", "anything\n"], []],
    [
      "a tag around any text, which ends at the tag's end",
      { type: "tag", begin: "<b>", content: { type: "any_text" }, end: "</b>" },
      ["<b></b>", "<b>a < b</</b>", "<b><</b>"],
      ["<b></b></b>", "<b>a</b>b", "<b>"],
    ],
    [
      "where triggered",
      { type: "triggered_tags", triggers: ["<call>"], tags },
      ["", "no < call", "a <call>f(1)</call> b <call>g(2)</call>", "<<call>f(3)</call>"],
      ["<call>", "<call>h(1)</call>", "a <call>f(x)</call>", "<call>f(1)</call> <call>f"],
    ],
    [
      "triggered once at least",
      { type: "triggered_tags", triggers: ["<call>"], tags, at_least_one: true },
      ["a <call>f(1)</call>"],
      ["", "a"],
    ],
    [
      "triggered once",
      { type: "triggered_tags", triggers: ["<call>f", "<call>g"], tags, stop_after_first: true },
      ["a", "a <call>", "a <call>f(1)</call>"],
      ["<call>f(1)</call> ", "<call>f(1)</call><call>f(1)</call>"],
    ],
    [
      "one after another",
      { type: "tags_with_separator", tags, separator: "\n", at_least_one: true },
      ["<call>f(1)</call>", "<call>f(1)</call>\n<call>g(2)</call>"],
      ["", "<call>f(1)</call>\n", "<call>f(1)</call><call>g(2)</call>"],
    ],
    [
      "one, or none",
      { type: "tags_with_separator", tags, separator: "\n", stop_after_first: true },
      ["", "<call>f(1)</call>"],
      ["<call>f(1)</call>\n<call>g(2)</call>"],
    ],
  ])("%s", (_, format, matched, others) => {
    const matches = accepts(format);
    for (const text of matched) expect(matches(text), JSON.stringify(text)).toBe(true);
    for (const text of others) expect(matches(text), JSON.stringify(text)).toBe(false);
  });

  test("finds triggers at every position", () => {
    const format: TagFormat = {
      type: "triggered_tags",
      triggers: ["aab", "ba"],
      tags: [
        { type: "tag", begin: "aab", content: { type: "const_string", value: "1" }, end: "" },
        { type: "tag", begin: "ba", content: { type: "const_string", value: "2" }, end: "" },
      ],
    };
    const matches = accepts(format);
    for (const text of ["aaab1", "caab1c", "ba2", "aab1ba2", "aa", "b"]) {
      expect(matches(text), text).toBe(true);
    }
    for (const text of ["aaab", "aab2", "bba", "aba"]) expect(matches(text), text).toBe(false);
  });

  test("that can't be enforced is refused", () => {
    const unknown = { type: "qwen_xml_parameter", json_schema: {} } as never;
    expect(messageOf(() => accepts(unknown))).toContain("'qwen_xml_parameter' is not a type");
    const empty: TagFormat = { type: "triggered_tags", triggers: [""], tags };
    expect(messageOf(() => accepts(empty))).toContain("a trigger is empty");
    const schema: TagFormat = { type: "json_schema", json_schema: { not: { type: "null" } } };
    expect(messageOf(() => accepts(schema))).toContain("'not' at the top is not supported");
  });
});
