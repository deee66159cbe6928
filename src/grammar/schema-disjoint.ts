import { type JsonType, type SchemaObject, commonTypes, typesOf } from "./schema-keywords.ts";
import type { JsonSchema } from "./source.ts";

/**
 * Decides whether two schemas provably share no value: by type, by their listed values, by a property
 * that both require, or by a property that one requires and the other forbids.
 *
 * @param flatten removes references and `allOf` from a schema
 */
export function areDisjoint(
  a: JsonSchema,
  b: JsonSchema,
  flatten: (schema: JsonSchema) => JsonSchema,
): boolean {
  const [one, other] = [flatten(a), flatten(b)] as (boolean | SchemaObject)[];
  if (typeof one !== "object" || typeof other !== "object") return one === false || other === false;
  if (commonValueTypes(one, other).length === 0) return true;
  const [values, others] = [valuesOf(one), valuesOf(other)];
  if (values && others) return !values.some((value) => others.includes(value));
  if (!isObject(one) || !isObject(other)) return false;
  return (
    forbidsRequired(one, other) ||
    forbidsRequired(other, one) ||
    (one.required ?? [])
      .filter((name) => other.required?.includes(name))
      .some((name) => {
        const [left, right] = [property(one, name), property(other, name)];
        return left !== undefined && right !== undefined && areDisjoint(left, right, flatten);
      })
  );
}

function commonValueTypes(a: SchemaObject, b: SchemaObject): readonly string[] {
  return commonTypes(allTypes(a), allTypes(b));
}

/** Without `type`, a schema with keywords of one type allows all values of the other types. */
function allTypes(schema: SchemaObject) {
  const listed = valuesOf(schema);
  if (schema.type !== undefined) return schema.type;
  if (!listed) return [...typesOf({})];
  return listed.map((json) => typeOf(JSON.parse(json)));
}

/** @returns the JSON type of a value; an integer is a "number" */
export function typeOf(
  value: unknown,
): "object" | "array" | "string" | "number" | "boolean" | "null" {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return typeof value as "object" | "string" | "number" | "boolean";
}

/** @returns the values of `const` or `enum` that the other one and `type` allow */
export function listedValues(schema: SchemaObject): readonly unknown[] {
  const { enum: list = [schema.const], type } = schema;
  const fixed = "const" in schema ? JSON.stringify(schema.const) : undefined;
  return list.filter(
    (value) =>
      (fixed === undefined || JSON.stringify(value) === fixed) &&
      (type === undefined || [type].flat().some((type) => isOfType(value, type))),
  );
}

function isOfType(value: unknown, type: JsonType): boolean {
  return type === "integer" ? Number.isInteger(value) : typeOf(value) === type;
}

function valuesOf(schema: SchemaObject): readonly string[] | undefined {
  if ("const" in schema) return [JSON.stringify(schema.const)];
  return schema.enum?.map((value) => JSON.stringify(value));
}

function isObject(schema: SchemaObject): boolean {
  return [schema.type].flat().join() === "object";
}

function property(schema: SchemaObject, name: string): JsonSchema | undefined {
  const { properties = {} } = schema;
  return Object.hasOwn(properties, name) ? properties[name] : undefined;
}

/** @returns whether `one` requires a property that `other` forbids */
function forbidsRequired(one: SchemaObject, other: SchemaObject): boolean {
  if (other.additionalProperties !== false || other.patternProperties) return false;
  return (one.required ?? []).some((name) => property(other, name) === undefined);
}
