import { type SchemaObject, typesBoth, typesOf } from "./schema-keywords.ts";
import type { JsonSchema } from "./source.ts";

/**
 * Whether it is plain that no value matches both: by type, by the values they list, or by a
 * property that both must have, or that one must and the other can't have.
 *
 * @param flatten a schema without references and `allOf`
 */
export function areApart(
  a: JsonSchema,
  b: JsonSchema,
  flatten: (schema: JsonSchema) => JsonSchema,
): boolean {
  const [one, other] = [flatten(a), flatten(b)] as (boolean | SchemaObject)[];
  if (typeof one !== "object" || typeof other !== "object") return one === false || other === false;
  if (sharedTypes(one, other).length === 0) return true;
  const [values, others] = [valuesOf(one), valuesOf(other)];
  if (values && others) return !values.some((value) => others.includes(value));
  if (!isObject(one) || !isObject(other)) return false;
  return (
    forbidsOne(one, other) ||
    forbidsOne(other, one) ||
    (one.required ?? [])
      .filter((name) => other.required?.includes(name))
      .some((name) => {
        const [left, right] = [property(one, name), property(other, name)];
        return left !== undefined && right !== undefined && areApart(left, right, flatten);
      })
  );
}

function sharedTypes(a: SchemaObject, b: SchemaObject): readonly string[] {
  return typesBoth(allTypes(a), allTypes(b));
}

/** Without `type`, a schema with keywords of one type allows values of all others. */
function allTypes(schema: SchemaObject) {
  const listed = valuesOf(schema);
  if (schema.type !== undefined) return schema.type;
  if (!listed) return [...typesOf({})];
  return listed.map((json) => typeOf(JSON.parse(json)));
}

/** The type of a value, "number" also where it is an integer. */
export function typeOf(
  value: unknown,
): "object" | "array" | "string" | "number" | "boolean" | "null" {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return typeof value as "object" | "string" | "number" | "boolean";
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

/** Whether one must have a property that the other can't have. */
function forbidsOne(one: SchemaObject, other: SchemaObject): boolean {
  if (other.additionalProperties !== false || other.patternProperties) return false;
  return (one.required ?? []).some((name) => property(other, name) === undefined);
}
