import { describe, expect, test } from "vitest";
import { matcherOf, messageOf } from "../../tests/grammar-support.ts";
import { compileGrammar } from "./compile-grammar.ts";
import { GrammarCompiler } from "./grammar.ts";
import type { GrammarSource, JsonSchema } from "./source.ts";

const vocabulary = {
  size: 256,
  bytes: (id: number) => Uint8Array.of(id),
  isSpecial: () => false,
};

const compiled = (source: GrammarSource) =>
  new GrammarCompiler(vocabulary, compileGrammar).compile(source);

const nested = (begin: string, inner: string, end: string, depth: number): string =>
  begin.repeat(depth) + inner + end.repeat(depth);

describe("what is too large is refused", () => {
  test.each<[string, GrammarSource]>([
    ["repetitions in repetitions", { type: "regex", pattern: nested("(", "a?", "){10}", 10) }],
    ["states that grow", { type: "regex", pattern: "(a{0,1000}){0,1000}" }],
    ["conditions that grow", { type: "regex", pattern: "(?=.*a.{40}).*b.{40}" }],
    ["groups in groups", { type: "regex", pattern: nested("(", "a", ")", 10_000) }],
    ["groups in groups", { type: "ebnf", grammar: `root ::= ${nested("(", '"a"', ")", 10_000)}` }],
  ])("%s", async (_, source) => {
    await expect(compiled(source)).rejects.toMatchObject({ name: "GrammarError" });
  });

  test("references that multiply", () => {
    const $defs: Record<string, JsonSchema> = { d0: { type: "string" } };
    for (let i = 1; i < 40; i++) {
      const $ref = `#/$defs/d${i - 1}`;
      $defs[`d${i}`] = { allOf: [{ $ref }, { $ref }] };
    }
    const schema = { $defs, $ref: "#/$defs/d39" };
    expect(messageOf(() => compileGrammar({ type: "json_schema", schema }))).toContain("too large");
  });
});

test("large counts, long lists and ambiguous texts of a usual size are taken", async () => {
  const words = Array.from({ length: 3000 }, (_, i) => `word ${i}`);
  for (const source of [
    { type: "regex", pattern: "[a-z]{0,100000}" },
    { type: "regex", pattern: "(\\w+ ?){1,50}" },
    { type: "regex", pattern: "(a|b)*a(a|b){30}" },
    { type: "json_schema", schema: { enum: words } },
  ] as const) {
    await expect(compiled(source)).resolves.toBeDefined();
  }
});

describe("a schema that is not strict", () => {
  const matches = (schema: JsonSchema) => matcherOf({ type: "json_schema", schema, strict: false });

  test.each<[JsonSchema, string]>([
    [{ type: "number", multipleOf: 0.3 }, "0.5"],
    [{ type: "string", format: "an-unknown-word" }, '"a"'],
    [{ type: "string", pattern: "\\bword\\b" }, '"a"'],
    [{ type: "string", not: { const: "b" } }, '"a"'],
    [{ type: "array", items: { type: "string" }, uniqueItems: true }, '["a","b"]'],
    [{ type: "array", contains: { type: "string" } }, "[]"],
    [{ type: "object", properties: { a: true, b: true }, minProperties: 2 }, '{"a":1,"b":2}'],
    [{ oneOf: [{ type: "integer" }, { type: "number" }] }, "1"],
    [{ $ref: "https://example.com/schema" }, "[1]"],
  ])("%j ignores what it can't enforce", (schema, text) => {
    expect(matches(schema)(text)).toBe(true);
    expect(messageOf(() => compileGrammar({ type: "json_schema", schema }))).toMatch(
      /not supported/,
    );
  });

  test("enforces the rest, and what is malformed stays an error", () => {
    const schema = {
      type: "object",
      properties: { a: { type: "integer", if: {} } },
      required: ["a"],
    };
    expect(matches(schema)('{"a":1}')).toBe(true);
    expect(matches(schema)('{"a":"1"}')).toBe(false);
    expect(messageOf(() => matches({ type: "strin" }))).toContain("must be");
  });
});

test.each<[JsonSchema, readonly string[], readonly string[]]>([
  [{ enum: ["a", "b"] }, ["[]", '["a"]', '["b","a"]'], ['["a","a"]', '["c"]']],
  [{ type: "boolean" }, ["[true,false]"], ["[true,true]"]],
  [{ type: "integer", minimum: 1, maximum: 3 }, ["[3,1,2]"], ["[1,2,1]", "[4]"]],
])("different items of %j", (items, good, bad) => {
  const matches = matcherOf({
    type: "json_schema",
    schema: { type: "array", items, uniqueItems: true },
  });
  for (const text of good) expect([text, matches(text)]).toEqual([text, true]);
  for (const text of bad) expect([text, matches(text)]).toEqual([text, false]);
});

test.each([
  ["uint8", ["0", "255"], ["-1", "256"]],
  ["int8", ["-128", "127"], ["-129", "128"]],
  ["uint32", ["4294967295"], ["-1", "4294967296"]],
  ["uint64", ["0", "999999999999999"], ["-1", "1.5"]],
  ["uint", ["7"], ["-7"]],
])("an integer of format %s", (format, good, bad) => {
  const matches = matcherOf({ type: "json_schema", schema: { type: "integer", format } });
  for (const text of good) expect([text, matches(text)]).toEqual([text, true]);
  for (const text of bad) expect([text, matches(text)]).toEqual([text, false]);
});
