import { GrammarError } from "./grammar-error.ts";
import type { JsonSchema } from "./source.ts";

/** A schema that is an object and whose keywords have the right types. */
export interface SchemaObject {
  readonly $ref?: string;
  readonly type?: JsonType | readonly JsonType[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly allOf?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema;
  readonly patternProperties?: Readonly<Record<string, JsonSchema>>;
  readonly propertyNames?: JsonSchema;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly prefixItems?: readonly JsonSchema[];
  /** Before Draft 2020-12, a list here meant `prefixItems`, and `additionalItems` meant `items`. */
  readonly items?: JsonSchema | readonly JsonSchema[];
  readonly additionalItems?: JsonSchema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly minLength?: number;
  readonly maxLength?: number;
  /** Several patterns where schemas were merged. */
  readonly pattern?: string | readonly string[];
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly multipleOf?: number;
}

export const JSON_TYPES = [
  "object",
  "array",
  "string",
  "number",
  "integer",
  "boolean",
  "null",
] as const;
export type JsonType = (typeof JSON_TYPES)[number];

/** The keywords that apply to values of one type only. */
export const KEYWORDS_OF: Readonly<Record<string, readonly (keyof SchemaObject)[]>> = {
  object: [
    "properties",
    "required",
    "additionalProperties",
    "patternProperties",
    "propertyNames",
    "minProperties",
    "maxProperties",
  ],
  array: ["prefixItems", "items", "additionalItems", "minItems", "maxItems", "uniqueItems"],
  string: ["minLength", "maxLength", "pattern", "format"],
  number: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
};

/** Called with what can't be enforced. It throws the error, or returns where that is to be ignored. */
export type Cannot = (error: GrammarError) => void;

/** Keywords that can't be enforced by restricting the next character. */
const UNSUPPORTED = [
  "not", // except where it means `false`
  "if",
  "then",
  "else",
  "dependentRequired",
  "dependentSchemas",
  "dependencies",
  "contains",
  "minContains",
  "maxContains",
  "unevaluatedItems",
  "unevaluatedProperties",
  "$dynamicRef",
  "$recursiveRef",
];

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isSchema = (value: unknown): boolean => typeof value === "boolean" || isObject(value);
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;
const isString = (value: unknown): boolean => typeof value === "string";
const isType = (value: unknown): boolean => JSON_TYPES.includes(value as JsonType);
const listOf =
  (test: (value: unknown) => boolean, least = 0) =>
  (value: unknown): boolean =>
    Array.isArray(value) && value.length >= least && value.every(test);
const recordOf =
  (test: (value: unknown) => boolean) =>
  (value: unknown): boolean =>
    isObject(value) && Object.values(value).every(test);

type Check = readonly [expected: string, test: (value: unknown) => boolean];
const SCHEMA: Check = ["a schema", isSchema];
const SCHEMAS: Check = ["a list of schemas", listOf(isSchema, 1)];
const NAMED_SCHEMAS: Check = ["an object of schemas", recordOf(isSchema)];
const COUNT: Check = ["an integer from 0 up", isCount];
const NUMBER: Check = ["a number", Number.isFinite];
const STRING: Check = ["a string", isString];

const CHECKS: Readonly<Record<keyof SchemaObject, Check>> = {
  $ref: STRING,
  type: [
    `one or more of ${JSON_TYPES.join(", ")}`,
    (value) => isType(value) || listOf(isType, 1)(value),
  ],
  enum: ["a list of values", listOf(() => true, 1)],
  const: ["a value", () => true],
  allOf: SCHEMAS,
  anyOf: SCHEMAS,
  oneOf: SCHEMAS,
  properties: NAMED_SCHEMAS,
  required: ["a list of strings", listOf(isString)],
  additionalProperties: SCHEMA,
  patternProperties: NAMED_SCHEMAS,
  propertyNames: SCHEMA,
  minProperties: COUNT,
  maxProperties: COUNT,
  prefixItems: ["a list of schemas", listOf(isSchema)],
  items: ["a schema", (value) => isSchema(value) || listOf(isSchema)(value)],
  additionalItems: SCHEMA,
  minItems: COUNT,
  maxItems: COUNT,
  uniqueItems: ["a boolean", (value) => typeof value === "boolean"],
  minLength: COUNT,
  maxLength: COUNT,
  pattern: STRING,
  format: STRING,
  minimum: NUMBER,
  maximum: NUMBER,
  exclusiveMinimum: NUMBER,
  exclusiveMaximum: NUMBER,
  multipleOf: ["a number greater than 0", (value) => Number.isFinite(value) && Number(value) > 0],
};

/**
 * Checks a schema's own keywords. Keywords that no draft of JSON Schema defines are ignored, as
 * validators do.
 *
 * @param path JSON pointer, for errors
 * @throws GrammarError for a keyword that is malformed
 */
export function checkKeywords(
  schema: Readonly<Record<string, unknown>>,
  path: string,
  cannot: Cannot,
): void {
  for (const keyword of UNSUPPORTED) {
    if (keyword in schema && !meansFalse(schema)) cannot(unsupported(keyword, path));
  }
  // It would change the base of the references below it.
  if (path !== "" && "$id" in schema) cannot(unsupported("$id", path));
  for (const [keyword, value] of Object.entries(schema)) {
    const [expected, test] = (CHECKS as Readonly<Record<string, Check>>)[keyword] ?? [];
    if (!test || test(value)) continue;
    throw new GrammarError(`'${keyword}' ${atPath(path)} must be ${expected}`);
  }
}

/** @returns whether a schema means `false`, as `{ "not": {} }` does */
export function meansFalse({ not }: Readonly<Record<string, unknown>>): boolean {
  return not === true || (isObject(not) && Object.keys(not).length === 0);
}

/** @param why the reason, or what is supported */
export function unsupported(keyword: string, path: string, why = ""): GrammarError {
  return new GrammarError(`'${keyword}' ${atPath(path)} is not supported${why && `: ${why}`}`);
}

/** @returns a path in words, for errors */
export function atPath(path: string): string {
  return path === "" ? "at the top" : `at ${path}`;
}

/** Appends keys to a JSON pointer. */
export function pointerTo(path: string, ...keys: readonly (string | number)[]): string {
  const escape = (key: string | number) => `${key}`.replaceAll("~", "~0").replaceAll("/", "~1");
  return [path, ...keys.map(escape)].join("/");
}

/** @returns the types that `type` names or, without it, the types whose keywords the schema has */
export function typesOf(schema: SchemaObject): ReadonlySet<JsonType> {
  const named = schema.type;
  if (named !== undefined) return new Set(typeof named === "string" ? [named] : named);
  const described = Object.entries(KEYWORDS_OF).filter(([, keywords]) =>
    keywords.some((keyword) => keyword in schema),
  );
  return new Set(
    described.length > 0 ? described.map(([type]) => type as JsonType) : [...JSON_TYPES],
  );
}

/** @returns the types that two lists share; an integer is also a number */
export function commonTypes(
  a: NonNullable<SchemaObject["type"]>,
  b: NonNullable<SchemaObject["type"]>,
): readonly JsonType[] {
  const [left, right] = [[a].flat(), [b].flat()] as const;
  const within = (types: readonly JsonType[], type: JsonType) =>
    types.includes(type) || (type === "integer" && types.includes("number"));
  return [...new Set([...left, ...right])].filter((t) => within(left, t) && within(right, t));
}
