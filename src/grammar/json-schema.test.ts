import { describe, expect, test } from "vitest";
import { matcherOf, messageOf } from "../../tests/grammar-support.ts";
import type { JsonSchema } from "./source.ts";

const accepts = (schema: JsonSchema) => matcherOf({ type: "json_schema", schema });

/** Name, schema, texts that match, and texts that are similar and don't match. */
const CASES: [string, JsonSchema, string[], string[]][] = [
  ["anything", true, ['{"a":[1,null,{}]}', '"x"', "-1.5e3", "[]"], ["", "{", "[1,]", "'x'"]],
  ["null and booleans", { type: ["null", "boolean"] }, ["null", "true", "false"], ["0", '""']],
  [
    "strings",
    { type: "string" },
    ['""', '"é🐻\\n\\"\\\\\\u001b"'],
    ['"a', '"\n"', '"\\q"', '"\\u0041"', '"\\/"', '"\\ud83d"'],
  ],
  [
    "lengths of strings, by characters",
    { type: "string", minLength: 2, maxLength: 3 },
    ['"ab"', '"🐻\\n\\""'],
    ['"a"', '"🐻"', '"abcd"'],
  ],
  [
    "patterns, anywhere in the string",
    { type: "string", pattern: '["\\\\]\\d' },
    ['"a\\"1b"', '"\\\\2"'],
    ['"1"', '""1"'],
  ],
  [
    "patterns with lengths",
    { pattern: "^#[a-f]+$", minLength: 3, maxLength: 4 },
    ['"#ab"', '"#abc"'],
    ['"#a"', '"#abcd"'],
  ],
  [
    "formats",
    { type: "string", format: "date" },
    ['"2024-02-28"'],
    ['"2024-02-30"', '"2024-13-01"'],
  ],
  ["integers", { type: "integer", minimum: 3 }, ["3", "12"], ["2", "3.0", '"3"']],
  ["numbers of 32 bits", { type: "integer", format: "int32" }, ["2147483647"], ["2147483648"]],
  ["multiples of 1", { type: "number", multipleOf: 1 }, ["3"], ["3.5"]],
  ["integers among numbers", { type: ["integer", "number"] }, ["3", "3.5"], ["x"]],
  ["listed values", { enum: ["a", 1, null, { b: [2] }] }, ['"a"', "1", '{"b":[2]}'], ['"b"', "2"]],
  ["listed values of a type", { enum: ["a", 1], type: "string" }, ['"a"'], ["1"]],
  ["one value", { const: 'say "hi"' }, ['"say \\"hi\\""'], ['"say"']],
  ["a value that is listed and one", { const: 1, enum: [1, 2] }, ["1"], ["2"]],
  [
    "properties in their order",
    {
      type: "object",
      properties: { a: { type: "integer" }, b: { type: "null" }, c: { type: "boolean" } },
      required: ["b"],
    },
    ['{"b":null}', '{"a":1,"b":null}', '{"a": 1, "b": null, "c": true}'],
    ["{}", '{"a":1}', '{"b":null,"a":1}', '{"b":null,}', '{"b":null,"d":1}', '{ "b":null}'],
  ],
  [
    "properties that all may be missing",
    { properties: { a: { const: 1 }, b: { const: 2 } } },
    ["{}", '{"a":1}', '{"b":2}', '{"a":1,"b":2}'],
    ['{,"b":2}', '{"b":2,"a":1}'],
  ],
  [
    "properties of which there must be one",
    { properties: { a: { const: 1 }, b: { const: 2 } }, minProperties: 1 },
    ['{"a":1}', '{"b":2}'],
    ["{}"],
  ],
  ["no properties", { type: "object", properties: {} }, ["{}"], ['{"a":1}']],
  [
    "other properties of any name but theirs",
    { properties: { ab: { const: 1 } }, required: ["ab"], additionalProperties: { const: 2 } },
    ['{"ab":1}', '{"ab":1,"a":2,"abc":2}', '{"ab":1, "é\\"": 2}', '{"ab":1,"":2}'],
    ['{"a":2}', '{"ab":1,"ab":2}', '{"ab":2}', '{"ab":1,"a":1}'],
  ],
  [
    "properties without names",
    { type: "object", additionalProperties: { type: "null" }, maxProperties: 2, minProperties: 1 },
    ['{"x":null}', '{"x":null,"y":null}'],
    ["{}", '{"x":null,"y":null,"z":null}', '{"x":1}'],
  ],
  [
    "keys by a pattern",
    { patternProperties: { "^x-": { const: 1 } }, additionalProperties: false },
    ["{}", '{"x-a":1}'],
    ['{"a":1}', '{"x-a":2}'],
  ],
  [
    "keys by several patterns, names and none of them",
    {
      properties: { "x-a": { const: 0 } },
      patternProperties: { "^x": { const: 1 }, y$: { const: 2 }, "^\\d$": false },
      additionalProperties: { const: 3 },
    },
    ['{"xb":1,"by":2,"b":3}', "{}"],
    [
      '{"x-a":0}',
      '{"x-a":1}',
      '{"xb":3}',
      '{"by":1}',
      '{"xy":1}',
      '{"xy":2}',
      '{"5":3}',
      '{"5":1}',
    ],
  ],
  [
    "keys by a schema",
    { type: "object", propertyNames: { enum: ["a", "b"] }, additionalProperties: { const: 1 } },
    ['{"a":1,"b":1}'],
    ['{"c":1}'],
  ],
  [
    "names that are listed, and required",
    {
      type: "object",
      propertyNames: { $ref: "#/$defs/names" },
      additionalProperties: { const: 1 },
      required: ["b"],
      $defs: { names: { type: "string", enum: ["a", "b"] } },
    },
    ['{"b":1}', '{"a":1,"b":1}'],
    ["{}", '{"a":1}', '{"b":1,"c":1}', '{"b":2}'],
  ],
  [
    "listed property names, some with schemas",
    {
      properties: { a: { const: 0 }, z: {} },
      patternProperties: { "^b": { const: 2 } },
      propertyNames: { enum: ["a", "bb", "c"] },
      additionalProperties: { const: 3 },
    },
    ['{"a":0,"bb":2,"c":3}', "{}"],
    ['{"z":1}', '{"bb":3}', '{"b":2}'],
  ],
  [
    "a property that can't be there",
    { properties: { a: { not: {} }, b: { const: 1 } }, additionalProperties: false },
    ["{}", '{"b":1}'],
    ['{"a":1}'],
  ],
  [
    "required properties that have no schema",
    { type: "object", required: ["a"], additionalProperties: { const: 1 } },
    ['{"a":1}', '{"a":1,"b":1}'],
    ["{}", '{"b":1}', '{"a":2}'],
  ],
  [
    "items",
    { type: "array", items: { const: 1 }, minItems: 1, maxItems: 3 },
    ["[1]", "[1,1, 1]"],
    ["[]", "[1,1,1,1]", "[2]", "[1,]"],
  ],
  ["no items", { type: "array", maxItems: 0 }, ["[]"], ["[1]"]],
  [
    "tuples",
    { prefixItems: [{ const: 1 }, { const: 2 }, { const: 3 }], minItems: 1 },
    ["[1]", "[1,2]", "[1,2,3]"],
    ["[]", "[2]", "[1,2,3,4]"],
  ],
  [
    "tuples that go on",
    { type: "array", prefixItems: [{ const: 1 }], items: { const: 9 }, minItems: 2, maxItems: 3 },
    ["[1,9]", "[1,9,9]"],
    ["[1]", "[1,9,9,9]", "[9,9]"],
  ],
  [
    "tuples of older drafts",
    { items: [{ const: 1 }, { const: 2 }], additionalItems: false, minItems: 2 },
    ["[1,2]"],
    ["[1]", "[1,2,3]"],
  ],
  [
    "unique items with at most one item",
    { type: "array", uniqueItems: true, maxItems: 1 },
    ["[5]"],
    ["[5,5]"],
  ],
  ["one of several", { anyOf: [{ type: "null" }, { const: 5 }] }, ["null", "5"], ["6"]],
  [
    "one of several, and what holds for all",
    { type: "integer", minimum: 5, anyOf: [{ maximum: 6 }, { minimum: 9, maximum: 9 }] },
    ["5", "6", "9"],
    ["4", "7"],
  ],
  [
    "just one of several, told apart by a property",
    {
      oneOf: [
        {
          type: "object",
          properties: { kind: { const: "a" }, x: { const: 1 } },
          required: ["kind", "x"],
        },
        { type: "object", properties: { kind: { const: "b" } }, required: ["kind"] },
      ],
    },
    ['{"kind":"a","x":1}', '{"kind":"b"}'],
    ['{"kind":"a"}', '{"kind":"b","x":1}'],
  ],
  [
    "just one of several, told apart by what one can't have",
    {
      oneOf: [
        { type: "object", properties: { a: {} }, required: ["a"] },
        {
          type: "object",
          properties: { b: { const: 1 } },
          required: ["b"],
          additionalProperties: false,
        },
      ],
    },
    ['{"a":0}', '{"b":1}'],
    ["{}"],
  ],
  [
    "all of several",
    {
      allOf: [
        { type: "object", properties: { a: { type: "number" } }, required: ["a"] },
        { properties: { b: { const: 2 }, a: { minimum: 0, maximum: 1 } }, required: ["b"] },
      ],
    },
    ['{"a":0.5,"b":2}'],
    ['{"a":2,"b":2}', '{"a":1}', '{"b":2}'],
  ],
  [
    "all of several listed and bounded",
    { allOf: [{ enum: [1, 2, 3] }, { enum: [2, 3, 4] }, { type: ["integer", "null"] }] },
    ["2", "3"],
    ["1", "4"],
  ],
  [
    "references",
    {
      $defs: { "a/b": { type: "string", maxLength: 1 }, é: { const: 7 } },
      type: "array",
      items: { anyOf: [{ $ref: "#/$defs/a~1b" }, { $ref: "#/$defs/%C3%A9" }] },
    },
    ['["x",7]', "[]"],
    ['["xy"]'],
  ],
  [
    "references with other keywords",
    { $defs: { n: { type: "integer", minimum: 0 } }, $ref: "#/$defs/n", maximum: 1 },
    ["0", "1"],
    ["2", "-1"],
  ],
  [
    "references to itself",
    {
      type: "object",
      title: "Tree",
      properties: { children: { type: "array", items: { $ref: "#" } } },
      required: ["children"],
    },
    ['{"children":[]}', '{"children":[{"children":[]},{"children":[{"children":[]}]}]}'],
    ['{"children":[{}]}', "{}"],
  ],
  [
    "what says nothing about values",
    {
      type: "null",
      title: "t",
      description: "d",
      default: 1,
      examples: [],
      $schema: "s",
      "x-y": 1,
    },
    ["null"],
    ["1"],
  ],
];

describe("a JSON schema", () => {
  test.each(CASES)("with %s", (_, schema, written, others) => {
    const matches = accepts(schema);
    for (const text of written) expect(matches(text), text).toBe(true);
    for (const text of others) expect(matches(text), text).toBe(false);
  });

  test("may have large counts and depths", () => {
    const names = Array.from({ length: 300 }, (_, i) => `property ${i}`);
    const properties = Object.fromEntries(names.map((name) => [name, { const: 1 }]));
    const matches = accepts({ properties, required: names.slice(200) });
    const text = (from: number) =>
      `{${names
        .slice(from)
        .map((name) => `"${name}":1`)
        .join(",")}}`;
    expect(matches(text(0))).toBe(true);
    expect(matches(text(200))).toBe(true);
    expect(matches(text(201))).toBe(false);
    let deep: JsonSchema = { const: 1 };
    for (let depth = 0; depth < 60; depth++) deep = { type: "array", items: deep, minItems: 1 };
    expect(accepts(deep)(`${"[".repeat(60)}1${"]".repeat(60)}`)).toBe(true);
  });

  test.each<[JsonSchema, string]>([
    [{ not: { type: "null" } }, "'not' at the top is not supported"],
    [{ if: {}, then: {} }, "'if' at the top is not supported"],
    [{ properties: { a: { contains: {} } } }, "'contains' at /properties/a is not supported"],
    [{ items: { dependentRequired: {} } }, "'dependentRequired' at /items is not supported"],
    [{ unevaluatedProperties: false }, "'unevaluatedProperties' at the top is not supported"],
    [
      { properties: { "a/b": { type: "array", uniqueItems: true } } },
      "'uniqueItems' at /properties/a~1b",
    ],
    [{ type: "integer", multipleOf: 5 }, "'multipleOf' at the top is not supported: only 1 is"],
    [{ minProperties: 2 }, "'minProperties' at the top is not supported"],
    [{ properties: { a: {}, b: {} }, maxProperties: 1 }, "'maxProperties' at the top"],
    [{ properties: { a: {} }, propertyNames: { maxLength: 3 } }, "'propertyNames' at the top"],
    [
      { pattern: "a(?=b)" },
      "'pattern' at the top: the expression a(?=b) has look-ahead after its beginning",
    ],
    [{ patternProperties: { "(": {} } }, "'patternProperties' at the top: the expression ( is"],
    [
      { type: "string", format: "iri" },
      "'format' at the top is not supported: 'iri' is not one of date",
    ],
    [
      { enum: ["a"], maxLength: 3 },
      "'maxLength' at the top is not supported: the values are listed",
    ],
    [{ oneOf: [{ type: "number" }, { type: "integer" }] }, "'oneOf' at the top is not supported"],
    [{ oneOf: [{ minimum: 1 }, { type: "string" }] }, "'oneOf' at the top is not supported"],
    [{ $ref: "https://a.test/b" }, "'$ref' at the top is not supported: it must be a JSON pointer"],
    [{ $ref: "#/$defs/a" }, "'$ref' at the top refers to #/$defs/a, which does not exist"],
    [{ $ref: "#/$defs/a", $defs: { a: { $ref: "#/$defs/a" } } }, "refers to itself"],
    [{ anyOf: [{ $ref: "#" }, { type: "null" }] }, "begins with itself"],
    [{ properties: { a: { $ref: "#" } }, required: ["a"] }, "no text can match it"],
    [{ items: { $id: "x" } }, "'$id' at /items is not supported"],
    [{ allOf: [{ format: "date" }, { format: "time" }] }, "'format' at /allOf/1 is not supported"],
    [
      { type: "string", format: "jwt" },
      "'format' at the top is not supported: 'jwt' is not one of",
    ],
    [{ pattern: "a", format: "iri" }, "'format' at the top is not supported: 'iri' is not one of"],
    [
      {
        allOf: [{ properties: { a: {} }, additionalProperties: false }, { properties: { b: {} } }],
      },
      "'additionalProperties' at /allOf/1 is not supported: another schema",
    ],
    [{ allOf: [{ prefixItems: [{}] }, { items: {} }] }, "'prefixItems' at /allOf/1"],
    [{ type: "strnig" }, "'type' at the top must be one or more of object, array, string"],
    [{ properties: [] }, "'properties' at the top must be an object of schemas"],
    [{ properties: { a: 1 } }, "'properties' at the top must be an object of schemas"],
    [{ required: "a" }, "'required' at the top must be a list of strings"],
    [{ enum: [] }, "'enum' at the top must be a list of values"],
    [{ anyOf: [] }, "'anyOf' at the top must be a list of schemas"],
    [{ maxLength: -1 }, "'maxLength' at the top must be an integer from 0 up"],
    [{ minimum: "1" }, "'minimum' at the top must be a number"],
    [{ exclusiveMinimum: true }, "'exclusiveMinimum' at the top must be a number"],
    [{ type: "integer", minimum: 2, maximum: 1 }, "no text can match it"],
    [{ pattern: "^x{5}$", maxLength: 4 }, "no text can match it"],
    [{ pattern: "^2024-02-3", format: "date" }, "no text can match it"],
    [false, "no text can match it"],
  ])("%j is refused: %s", (schema, message) => {
    expect(messageOf(() => accepts(schema))).toContain(message);
  });

  test("omits an optional property that can't have a value", () => {
    const properties = {
      a: false,
      b: { type: "integer", minimum: 2, maximum: 1 },
      c: { const: 1 },
    };
    const matches = accepts({ properties });
    expect(matches('{"c":1}')).toBe(true);
    expect(messageOf(() => accepts({ properties, required: ["b"] }))).toContain("no text");
    const others = accepts({ properties, additionalProperties: { const: 2 } });
    expect([others('{"e":2}'), others('{"a":2}')]).toEqual([true, false]);
  });
});

test("any JSON object", () => {
  const matches = matcherOf({ type: "json_object" });
  expect(matches('{"a":{"b":[1,"x",null]}}')).toBe(true);
  expect(matches("{}")).toBe(true);
  for (const text of ["[]", '"x"', "", '{"a":1', "{ }", '{"a":1}\n']) {
    expect(matches(text), text).toBe(false);
  }
});
