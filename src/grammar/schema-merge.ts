import { type Cannot, type SchemaObject, commonTypes, unsupported } from "./schema-keywords.ts";
import type { JsonSchema } from "./source.ts";

/** Keywords that don't restrict values. */
const ANNOTATIONS: ReadonlySet<string> = new Set([
  "title",
  "description",
  "default",
  "examples",
  "deprecated",
  "readOnly",
  "writeOnly",
  "discriminator",
  "$comment",
  "$schema",
  "$id",
  "$anchor",
  "$defs",
  "definitions",
]);

/** @returns a schema without the keywords that don't restrict values */
export function withoutAnnotations(schema: SchemaObject): SchemaObject {
  return Object.fromEntries(Object.entries(schema).filter(([name]) => !ANNOTATIONS.has(name)));
}

/**
 * Merges two schemas into one that accepts what both accept.
 *
 * @param path JSON pointer of `b`, for errors
 * @param cannot called where the two values of a keyword can't be merged. If it returns, that of `a` stays.
 */
export function mergeSchemas(
  a: JsonSchema,
  b: JsonSchema,
  path: string,
  cannot: Cannot,
): JsonSchema {
  if (a === false || b === false) return false;
  if (a === true || b === true) return a === true ? b : a;
  checkDisjoint(a, b, path, cannot);
  const merged: Record<string, unknown> = { ...a };
  for (const [keyword, value] of Object.entries(withoutAnnotations(b))) {
    const before = merged[keyword];
    if (before === undefined || JSON.stringify(before) === JSON.stringify(value)) {
      merged[keyword] = value;
      continue;
    }
    if (keyword === "const") return false;
    const merge = MERGES[keyword];
    if (merge) merged[keyword] = merge(before as never, value as never);
    else cannot(unsupported(keyword, path, "another schema for the same value has it too"));
  }
  return merged;
}

const larger = (a: number, b: number) => Math.max(a, b);
const smaller = (a: number, b: number) => Math.min(a, b);
const mergeLater = (a: JsonSchema, b: JsonSchema): JsonSchema => ({ allOf: [a, b] });

const MERGES: Readonly<Record<string, (a: never, b: never) => unknown>> = {
  type: commonTypes,
  enum: (a: readonly unknown[], b: readonly unknown[]) => {
    const others = new Set(b.map((value) => JSON.stringify(value)));
    return a.filter((value) => others.has(JSON.stringify(value)));
  },
  properties: (
    a: Readonly<Record<string, JsonSchema>>,
    b: Readonly<Record<string, JsonSchema>>,
  ) => {
    const merged = new Map(Object.entries(a));
    for (const [name, schema] of Object.entries(b)) {
      const before = merged.get(name);
      merged.set(name, before === undefined ? schema : mergeLater(before, schema));
    }
    return Object.fromEntries(merged);
  },
  required: (a: readonly string[], b: readonly string[]) => [...new Set([...a, ...b])],
  items: mergeLater,
  additionalProperties: mergeLater,
  propertyNames: mergeLater,
  minProperties: larger,
  maxProperties: smaller,
  minItems: larger,
  maxItems: smaller,
  pattern: (a: string | readonly string[], b: string | readonly string[]) => [a, b].flat(),
  uniqueItems: (a: boolean, b: boolean) => a || b,
  minLength: larger,
  maxLength: smaller,
  minimum: larger,
  maximum: smaller,
  exclusiveMinimum: larger,
  exclusiveMaximum: smaller,
};

/** Finds keywords that would change their meaning in the merged schema. */
function checkDisjoint(a: SchemaObject, b: SchemaObject, path: string, cannot: Cannot): void {
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const) {
    const { additionalProperties: rest = true, properties = {} } = one;
    const name = Object.keys(other.properties ?? {}).find(
      (name) => !Object.hasOwn(properties, name),
    );
    if (rest !== true && name !== undefined) {
      const why = `another schema for the same value has the property '${name}'`;
      cannot(unsupported("additionalProperties", path, why));
    }
    const tuple = Array.isArray(one.items) ? "items" : "prefixItems";
    const saysMore = other.items !== undefined || other.prefixItems !== undefined;
    if (Array.isArray(one[tuple]) && saysMore) {
      cannot(unsupported(tuple, path, "another schema for the same value has items too"));
    }
  }
}
