import { isPossible, matches } from "./expression-checks.ts";
import {
  EMPTY,
  type Expression,
  NOTHING,
  type Rules,
  all,
  choice,
  optional,
  repeat,
  sequence,
  text,
} from "./expression.ts";
import { COLON, COMMA, stringsOtherThan, escaped, literal, quoted } from "./json-text.ts";
import { listedValues } from "./schema-disjoint.ts";
import { type Cannot, type SchemaObject, pointerTo, unsupported } from "./schema-keywords.ts";
import { withoutAnnotations } from "./schema-merge.ts";
import { patternExpression } from "./schema-scalars.ts";
import type { JsonSchema } from "./source.ts";

/** Compiles the schemas within a schema. Paths are JSON pointers, for errors. */
export interface SchemaContext {
  /** @returns the texts of all values that are valid by a schema */
  read(schema: JsonSchema, path: string): Expression;
  /** @returns the schema without references and `allOf` */
  flatten(schema: JsonSchema, path: string): JsonSchema;
  /** Called with what can't be enforced. If it returns, that is ignored. */
  readonly cannot: Cannot;
}

export function arrayOf(
  schema: SchemaObject,
  path: string,
  context: SchemaContext,
  rules: Rules,
): Expression {
  const { minItems: min = 0, maxItems = Infinity } = schema;
  const old = Array.isArray(schema.items);
  const first = (old ? schema.items : (schema.prefixItems ?? [])) as readonly JsonSchema[];
  const more = (old ? schema.additionalItems : schema.items) as JsonSchema | undefined;
  // Nothing follows a tuple, unless the schema has `items` for it or needs more items.
  const rest = more ?? (first.length === 0 || min > first.length);
  const max = rest === false ? Math.min(maxItems, first.length) : maxItems;
  if (min > max) return NOTHING;
  if (schema.uniqueItems && max > 1) {
    const values = first.length === 0 ? uniqueValues(rest, max, path, context) : undefined;
    if (values) return setOf(values, min, max, rules);
    const why = "it is only for few listed values";
    context.cannot(unsupported("uniqueItems", path, why));
  }

  const item = context.read(rest, pointerTo(path, old ? "additionalItems" : "items"));
  const count = Math.min(first.length, max);
  let items: Expression;
  if (count > 0) {
    items = repeat(sequence(COMMA, item), Math.max(0, min - count), max - count);
  } else {
    items = sequence(item, repeat(sequence(COMMA, item), Math.max(0, min - 1), max - 1));
    if (min === 0) items = optional(items);
  }
  for (let i = count - 1; i >= 0; i--) {
    const element = context.read(
      first[i] as JsonSchema,
      pointerTo(path, old ? "items" : "prefixItems", i),
    );
    items = sequence(i > 0 ? COMMA : EMPTY, element, items);
    if (i >= min) items = optional(items);
  }
  return sequence(text("["), items, text("]"));
}

/** Most combinations of used values that are followed. */
const MOST_SETS = 1024;

/** @returns the different values that items may have; undefined if they can't be listed, or too many */
function uniqueValues(
  schema: JsonSchema,
  max: number,
  path: string,
  context: SchemaContext,
): readonly unknown[] | undefined {
  const flat = context.flatten(schema, pointerTo(path, "items"));
  const values = typeof flat === "object" ? finiteValues(flat) : undefined;
  if (!values) return undefined;
  const different = [...new Map(values.map((value) => [JSON.stringify(value), value])).values()];
  let [sets, ofSize] = [0, 1];
  for (let size = 0; size < Math.min(max, different.length) && sets <= MOST_SETS; size++) {
    sets += ofSize;
    ofSize *= (different.length - size) / (size + 1);
  }
  return sets <= MOST_SETS ? different : undefined;
}

function finiteValues(schema: SchemaObject): readonly unknown[] | undefined {
  const keywords = Object.keys(withoutAnnotations(schema));
  const has = (...names: string[]) => keywords.every((keyword) => names.includes(keyword));
  if (("const" in schema || schema.enum) && has("type", "const", "enum")) {
    return listedValues(schema);
  }
  if (schema.type === "boolean" && has("type")) return [false, true];
  const { minimum = NaN, maximum = NaN } = schema;
  const count = Math.floor(maximum) - Math.ceil(minimum) + 1;
  if (schema.type !== "integer" || !has("type", "minimum", "maximum") || !(count <= MOST_SETS)) {
    return undefined;
  }
  return Array.from({ length: Math.max(0, count) }, (_, i) => Math.ceil(minimum) + i);
}

/** Matches the arrays of different values. What may follow depends on the values so far. */
function setOf(values: readonly unknown[], min: number, max: number, rules: Rules): Expression {
  const most = Math.min(max, values.length);
  if (min > most) return NOTHING;
  const known = new Map<string, Expression>();
  /** @param used the indices of the values so far, in order */
  const after = (used: readonly number[]): Expression => {
    const end = used.length >= min ? EMPTY : NOTHING;
    if (used.length === most) return end;
    const key = used.join();
    const same = known.get(key);
    if (same) return same;
    const expression = rules.add("set", () =>
      choice(
        end,
        ...values.flatMap((value, i) => {
          if (used.includes(i)) return [];
          const rest = after([...used, i].sort((a, b) => a - b));
          return sequence(used.length > 0 ? COMMA : EMPTY, literal(value), rest);
        }),
      ),
    );
    known.set(key, expression);
    return expression;
  };
  return sequence(text("["), after([]), text("]"));
}

export function objectOf(
  whole: SchemaObject,
  path: string,
  context: SchemaContext,
  rules: Rules,
): Expression {
  const schema = withNamedProperties(whole, path, context);
  const { required = [], minProperties: min = 0, maxProperties: max = Infinity } = schema;
  const named = namedProperties(schema, path, context);
  const extra = extraProperty(schema, [...named.keys()], path, context);
  // A repeated key counts once, so a larger minimum can't be enforced.
  if (min > Math.max(1, required.length)) {
    const why = "only 1 or the number of required properties is";
    context.cannot(unsupported("minProperties", path, why));
  }
  if (named.size > max) {
    const why = "only the number of named properties, or more, is";
    context.cannot(unsupported("maxProperties", path, why));
  }
  const extraMax = extra === NOTHING ? 0 : Math.max(0, max - named.size);
  let later = repeat(sequence(COMMA, extra), 0, extraMax);
  let first = [
    sequence(extra, repeat(sequence(COMMA, extra), 0, extraMax - 1)),
    min === 0 ? EMPTY : NOTHING,
  ];
  for (const [name, value] of [...named].reverse()) {
    const property = sequence(literal(name), COLON, value);
    const after = later;
    const rest = rules.add("properties", () => after);
    if (required.includes(name)) {
      first = [sequence(property, rest)];
      later = sequence(COMMA, property, rest);
    } else {
      first.push(sequence(property, rest));
      later = sequence(optional(sequence(COMMA, property)), rest);
    }
  }
  return sequence(text("{"), choice(...first), text("}"));
}

/** Turns a `propertyNames` that lists names into `properties`. */
function withNamedProperties(
  schema: SchemaObject,
  path: string,
  context: SchemaContext,
): SchemaObject {
  const { propertyNames } = schema;
  const names = context.flatten(propertyNames ?? true, pointerTo(path, "propertyNames"));
  if (typeof names !== "object" || !("const" in names || "enum" in names)) return schema;
  const { enum: listed = [names.const] } = names as SchemaObject;
  const named = listed.filter((name): name is string => typeof name === "string");
  const properties = Object.fromEntries(
    named.map((name) => [name, schemaOf(schema, name, path, context)]),
  );
  return {
    ...schema,
    properties,
    additionalProperties: false,
    patternProperties: {},
    propertyNames: true,
  };
}

/** @returns the values of the properties that the schema names, in its order */
function namedProperties(
  schema: SchemaObject,
  path: string,
  context: SchemaContext,
): Map<string, Expression> {
  const { properties = {}, required = [] } = schema;
  const names = new Set([...Object.keys(properties), ...required]);
  return new Map(
    [...names].map((name) => {
      const at = Object.hasOwn(properties, name) ? pointerTo(path, "properties", name) : path;
      return [name, context.read(schemaOf(schema, name, path, context), at)];
    }),
  );
}

/** @returns the schema of a property's value, from all keywords that apply to it */
function schemaOf(
  { properties = {}, patternProperties = {}, additionalProperties = true }: SchemaObject,
  name: string,
  path: string,
  { cannot }: SchemaContext,
): JsonSchema {
  const schemas = Object.hasOwn(properties, name) ? [properties[name] as JsonSchema] : [];
  for (const [pattern, schema] of Object.entries(patternProperties)) {
    const expression = patternExpression(pattern, "patternProperties", path, cannot);
    if (expression && matches(expression, name)) schemas.push(schema);
  }
  if (schemas.length === 0) return additionalProperties;
  return schemas.length === 1 ? (schemas[0] as JsonSchema) : { allOf: schemas };
}

/** @returns the expression of a property with none of `names` */
function extraProperty(
  schema: SchemaObject,
  names: readonly string[],
  path: string,
  context: SchemaContext,
): Expression {
  const { additionalProperties, patternProperties = {} } = schema;
  let { propertyNames = true } = schema;
  const patterns = Object.entries(patternProperties).flatMap(([pattern, value]) => {
    const key = patternExpression(pattern, "patternProperties", path, context.cannot);
    return key ? [{ pattern, value, key: escaped(key) }] : [];
  });
  if (propertyNames !== true && (names.length > 0 || patterns.length > 0)) {
    const why = "it is only where no properties are named";
    context.cannot(unsupported("propertyNames", path, why));
    propertyNames = true;
  }
  const unnamed = stringsOtherThan(names);
  const keys = patterns.map(({ key }) => key);
  // A key that matches several patterns would need a value that is valid by all their schemas.
  const matching = patterns.map(({ pattern, value, key: own }) => {
    const key = all(
      [unnamed, own],
      keys.filter((other) => other !== own),
    );
    return property(key, context.read(value, pointerTo(path, "patternProperties", pattern)));
  });
  // A schema that names properties names all of them, unless it says otherwise.
  const open = names.length + patterns.length === 0 && schema.properties === undefined;
  const value = additionalProperties ?? open;
  if (value === false) return choice(...matching);
  const rest = context.read(value, pointerTo(path, "additionalProperties"));
  if (propertyNames !== true) return sequence(keyOf(propertyNames, path, context), COLON, rest);
  return choice(...matching, property(all([unnamed], keys), rest));
}

function property(key: Expression, value: Expression): Expression {
  return isPossible(key) ? sequence(quoted(key), COLON, value) : NOTHING;
}

function keyOf(schema: JsonSchema, path: string, context: SchemaContext): Expression {
  const at = pointerTo(path, "propertyNames");
  return context.read({ allOf: [{ type: "string" }, schema] }, at);
}
