import { beforeEach, describe, expect, test, vi } from "vitest";
import { PARAMETERS_PAGE, answerWith, errorOf, inputOf, namesIn } from "../../tests/documented.ts";
import { matcherOf } from "../../tests/grammar-support.ts";
import type { JsonSchema } from "../grammar/source.ts";

beforeEach(() => answerWith());

describe("the JSON schemas of docs/parameters.md", () => {
  const section =
    PARAMETERS_PAGE.split("Supported keywords:")[1]?.split("Regular expressions")[0] ?? "";
  const [keywords = "", ...formatRows] = section.split("- `format` of ");
  const [strings = "", numbers = ""] = formatRows;

  /** Each keyword of the page: a schema with it, a text that matches, and one that does not. */
  const SCHEMAS: Readonly<Record<string, readonly [JsonSchema, string, string]>> = {
    type: [{ type: "null" }, "null", "1"],
    enum: [{ enum: [1, 2] }, "2", "3"],
    const: [{ const: 1 }, "1", "2"],
    anyOf: [{ anyOf: [{ const: 1 }, { const: 2 }] }, "2", "3"],
    allOf: [{ allOf: [{ enum: [1, 2] }, { enum: [2, 3] }] }, "2", "1"],
    $ref: [{ $ref: "#/$defs/a", $defs: { a: { const: 1 } } }, "1", "2"],
    oneOf: [{ oneOf: [{ const: 1 }, { const: 2 }] }, "2", "3"],
    properties: [{ type: "object", properties: { a: { const: 1 } } }, '{"a":1}', '{"a":2}'],
    required: [{ properties: { a: { const: 1 } }, required: ["a"] }, '{"a":1}', "{}"],
    additionalProperties: [
      { type: "object", additionalProperties: { const: 1 } },
      '{"a":1}',
      '{"a":2}',
    ],
    patternProperties: [
      { type: "object", patternProperties: { "^x": { const: 1 } } },
      '{"xa":1}',
      '{"xa":2}',
    ],
    propertyNames: [
      { type: "object", propertyNames: { enum: ["a"] }, additionalProperties: { const: 1 } },
      '{"a":1}',
      '{"b":1}',
    ],
    minProperties: [
      { properties: { a: { const: 1 } }, required: ["a"], minProperties: 1 },
      '{"a":1}',
      "{}",
    ],
    maxProperties: [
      { type: "object", additionalProperties: { const: 1 }, maxProperties: 1 },
      '{"a":1}',
      '{"a":1,"b":1}',
    ],
    prefixItems: [{ type: "array", prefixItems: [{ const: 1 }] }, "[1]", "[2]"],
    items: [{ type: "array", items: { const: 1 } }, "[1,1]", "[2]"],
    minItems: [{ type: "array", minItems: 1 }, "[1]", "[]"],
    maxItems: [{ type: "array", maxItems: 1 }, "[1]", "[1,1]"],
    uniqueItems: [
      { type: "array", items: { enum: ["a", "b"] }, uniqueItems: true },
      '["b","a"]',
      '["a","a"]',
    ],
    minLength: [{ type: "string", minLength: 2 }, '"ab"', '"a"'],
    maxLength: [{ type: "string", maxLength: 2 }, '"ab"', '"abc"'],
    pattern: [{ type: "string", pattern: "^a+$" }, '"aa"', '"b"'],
    minimum: [{ type: "integer", minimum: 3 }, "3", "2"],
    maximum: [{ type: "integer", maximum: 3 }, "3", "4"],
    exclusiveMinimum: [{ type: "integer", exclusiveMinimum: 3 }, "4", "3"],
    exclusiveMaximum: [{ type: "integer", exclusiveMaximum: 3 }, "2", "3"],
  };

  const strict = (schema: JsonSchema) =>
    matcherOf({ type: "json_schema", schema, strict: true } as Parameters<typeof matcherOf>[0]);

  test("have the keywords that the page lists", () => {
    const bounds = numbers.split("\n- ").at(-1) ?? "";
    expect([...namesIn(keywords), ...namesIn(bounds)].sort()).toEqual(Object.keys(SCHEMAS).sort());
  });

  test.each(Object.entries(SCHEMAS))("%s", (_, [schema, written, other]) => {
    expect(strict(schema)(written)).toBe(true);
    expect(strict(schema)(other)).toBe(false);
  });

  /** A text of each format of strings, and one that is none. */
  const STRINGS: Readonly<Record<string, readonly [string, string?]>> = {
    date: ["2024-02-28", "2024-02-30"],
    time: ["12:30:00Z", "25:00:00Z"],
    "date-time": ["2024-02-28T12:30:00Z", "2024-02-28"],
    duration: ["P1DT2H", "1 day"],
    email: ["a@b.example", "a"],
    hostname: ["b.example", "-"],
    ipv4: ["192.168.0.1", "192.168.0.256"],
    ipv6: ["::1", "1"],
    uri: ["https://a.example/b", "a"],
    uuid: ["123e4567-e89b-22d3-a456-426614174000", "123e4567"],
    uuid1: ["123e4567-e89b-12d3-a456-426614174000", "123e4567-e89b-42d3-a456-426614174000"],
    uuid3: ["123e4567-e89b-32d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000"],
    uuid4: ["123e4567-e89b-42d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000"],
    uuid5: ["123e4567-e89b-52d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000"],
    byte: ["aGk=", "aGk"],
    base64: ["aGk=", "?"],
    binary: ["anything ?"],
    password: ["anything ?"],
    path: ["any/thing ?"],
  };

  test("have the formats of strings that the page lists", () => {
    expect(namesIn(strings).sort()).toEqual(Object.keys(STRINGS).sort());
    for (const [format, [good, bad]] of Object.entries(STRINGS)) {
      const matches = strict({ type: "string", format });
      expect(matches(JSON.stringify(good)), format).toBe(true);
      if (bad !== undefined) expect(matches(JSON.stringify(bad)), format).toBe(false);
    }
  });

  test.each([
    ["int8", "-128", "128"],
    ["int16", "-32768", "32768"],
    ["int32", "-2147483648", "2147483648"],
    ["int64", "-123456789012345", "1.5"],
    ["int", "-5", "1.5"],
    ["uint8", "255", "256"],
    ["uint16", "65535", "65536"],
    ["uint32", "4294967295", "-1"],
    ["uint64", "123456789012345", "-1"],
    ["uint", "5", "-1"],
    ["float", "1.5", "x"],
    ["double", "1.5", "x"],
    ["decimal", "1.5", "x"],
  ])("the number format %s", (format, good, bad) => {
    expect(numbers).toContain(format.replace(/16|32/, "8"));
    const matches = strict({ type: "number", format });
    expect(matches(good)).toBe(true);
    expect(matches(bad)).toBe(false);
  });

  test("JSON has at most one space after a comma or a colon, and none elsewhere", () => {
    const matches = strict({ properties: { a: { const: 1 }, b: { const: 2 } } });
    for (const text of ['{"a":1,"b":2}', '{"a": 1, "b": 2}']) expect(matches(text)).toBe(true);
    for (const text of ['{"a":  1}', '{ "a":1}', '{"a":1 }', '{"a":1,  "b":2}', '{"a" :1}', " {}"])
      expect(matches(text), text).toBe(false);
  });

  test.each<[string, JsonSchema]>([
    ["if", { if: { const: 1 } }],
    ["contains", { type: "array", contains: { const: 1 } }],
    ["multipleOf", { type: "integer", multipleOf: 2 }],
    ["format", { type: "string", format: "word" }],
    ["pattern", { type: "string", pattern: "(?<=a)b" }],
    ["pattern", { type: "string", pattern: "(a)\\1" }],
    ["pattern", { type: "string", pattern: "\\bb" }],
    ["propertyNames", { properties: { a: {} }, propertyNames: { pattern: "^a" } }],
    ["minProperties", { properties: { a: {}, b: {} }, required: ["a"], minProperties: 2 }],
    ["maxProperties", { properties: { a: {}, b: {} }, maxProperties: 1 }],
    ["uniqueItems", { type: "array", items: { type: "string" }, uniqueItems: true }],
    ["oneOf", { oneOf: [{ type: "integer" }, { minimum: 3 }] }],
  ])(
    "%s of %j is refused where it is strict, and named in the log where not",
    async (name, part) => {
      const schema = { type: "object", properties: { x: part }, required: ["x"] };
      const json_schema = { name: "a", schema };
      const format = (more: object) => ({
        response_format: { type: "json_schema", json_schema: { ...json_schema, ...more } },
      });
      const error = await errorOf(format({ strict: true }));
      expect(error).toMatchObject({ code: "invalid_value" });
      expect(error.message).toContain(name);
      expect(error.message).toContain("/properties/x");
      const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
      await inputOf(format({}));
      await inputOf(format({ strict: false }));
      expect(warn.mock.calls.flat().filter((line) => String(line).includes(name))).toHaveLength(1);
      warn.mockRestore();
    },
  );
});

const nested = (depth: number, open: string, inner: string, close: string) =>
  open.repeat(depth) + inner + close.repeat(depth);

test.each<[string, (depth: number) => object]>([
  ["a regular expression", (depth) => ({ regex: nested(depth, "(?:a", "b", ")?") })],
  ["a grammar", (depth) => ({ ebnf: `root ::= ${nested(depth, '("a" ', '"b"', ")")}` })],
])("%s may be nested 200 levels deep, and is refused beyond", async (_, form) => {
  expect((await inputOf(form(200))).constraint).toBeDefined();
  expect(await errorOf(form(201))).toMatchObject({ code: "invalid_value" });
});
