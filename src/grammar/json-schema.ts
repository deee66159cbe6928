import { type Expression, NOTHING, type Rules, choice, text } from "./expression.ts";
import { GrammarError } from "./grammar-error.ts";
import { literal } from "./json-text.ts";
import { areApart, typeOf } from "./schema-apart.ts";
import { type SchemaContext, arrayOf, objectOf } from "./schema-containers.ts";
import {
  type JsonType,
  KEYWORDS_OF,
  type SchemaObject,
  checkKeywords,
  isFalse,
  place,
  typesOf,
  under,
  unsupported,
} from "./schema-keywords.ts";
import { bothOf, withoutAnnotations } from "./schema-merge.ts";
import { numberOf, stringOf } from "./schema-scalars.ts";
import type { JsonSchema } from "./source.ts";

/**
 * Texts in JSON whose values are valid by a schema, written without more space than one between
 * entries. Not all such values: properties come in the schema's order, and those that it does not
 * name come only where it speaks of them.
 *
 * @param rules receives those of the expression
 * @throws GrammarError for a schema that is malformed, or says what can't be honoured
 */
export function schemaExpression(schema: JsonSchema, rules: Rules): Expression {
  return new SchemaReader(schema, rules).read(schema, "");
}

class SchemaReader implements SchemaContext {
  readonly #document: JsonSchema;
  readonly #rules: Rules;
  /** By the schema's JSON: so that one which refers to itself comes to an end. */
  readonly #known = new Map<string, Expression>();

  constructor(document: JsonSchema, rules: Rules) {
    this.#document = document;
    this.#rules = rules;
  }

  /** @param path JSON pointer of the schema, for errors */
  read(schema: JsonSchema, path: string): Expression {
    return this.#readFlat(this.flatten(schema, path), path);
  }

  #readFlat(flat: JsonSchema, path: string): Expression {
    if (flat === false) return NOTHING;
    const meaning: SchemaObject = flat === true ? {} : withoutAnnotations(flat);
    const key = JSON.stringify(meaning);
    const known = this.#known.get(key);
    if (known) return known;
    return this.#rules.add("schema", (self) => {
      this.#known.set(key, self);
      return this.#values(meaning, path);
    });
  }

  /** A schema without `$ref` and `allOf`. */
  flatten(schema: JsonSchema, path: string, referred: readonly string[] = []): JsonSchema {
    if (typeof schema === "boolean") return schema;
    checkKeywords(schema, path);
    if (isFalse(schema)) return false;
    const { $ref, allOf = [], ...rest } = schema as SchemaObject;
    let flat: JsonSchema = rest;
    if ($ref !== undefined) {
      if (referred.includes($ref)) {
        throw new GrammarError(`'$ref' ${place(path)} refers to itself`);
      }
      const [target, at] = this.#resolve($ref, path);
      flat = bothOf(flat, this.flatten(target, at, [...referred, $ref]), path);
    }
    for (const [i, part] of allOf.entries()) {
      const at = under(path, "allOf", i);
      flat = bothOf(flat, this.flatten(part, at, referred), at);
    }
    return flat;
  }

  #resolve($ref: string, path: string): readonly [JsonSchema, string] {
    if (!/^#(\/|$)/.test($ref)) {
      throw unsupported(
        "$ref",
        path,
        "it must be a JSON pointer in this schema, such as '#/$defs/a'",
      );
    }
    const keys = $ref.split("/").slice(1);
    let found: unknown = this.#document;
    for (const key of keys.map(unescapePointer)) {
      found = Object.hasOwn(Object(found) as object, key)
        ? (found as Readonly<Record<string, unknown>>)[key]
        : undefined;
    }
    if (typeof found !== "boolean" && typeOf(found ?? null) !== "object") {
      throw new GrammarError(`'$ref' ${place(path)} refers to ${$ref}, which is not there`);
    }
    return [found as JsonSchema, $ref.slice(1)];
  }

  #values(schema: SchemaObject, path: string): Expression {
    for (const keyword of ["anyOf", "oneOf"] as const) {
      const options = schema[keyword];
      if (!options) continue;
      if (keyword === "oneOf") this.#checkApart(options, path);
      const rest = Object.fromEntries(Object.entries(schema).filter(([name]) => name !== keyword));
      return choice(
        ...options.map((option, i) => {
          const at = under(path, keyword, i);
          return this.#readFlat(bothOf(rest, this.flatten(option, at), at), at);
        }),
      );
    }
    if ("const" in schema || schema.enum) return this.#listed(schema, path);
    const types = typesOf(schema);
    return choice(...[...types].map((type) => this.#ofType(type, types, schema, path)));
  }

  /** One of several must match, and no other: what is written for one must not match another. */
  #checkApart(options: readonly JsonSchema[], path: string): void {
    const flatten = (schema: JsonSchema) => this.flatten(schema, path);
    const apart = options.every((a, i) =>
      options.slice(i + 1).every((b) => areApart(a, b, flatten)),
    );
    if (apart) return;
    const why = "its schemas must be told apart by type, or by a required property's values";
    throw unsupported("oneOf", path, `${why}; 'anyOf' may overlap`);
  }

  #listed(schema: SchemaObject, path: string): Expression {
    const { enum: list = [schema.const], type } = schema;
    const fixed = "const" in schema ? JSON.stringify(schema.const) : undefined;
    const values = list.filter(
      (value) =>
        (fixed === undefined || JSON.stringify(value) === fixed) &&
        (type === undefined || [type].flat().some((type) => isOfType(value, type))),
    );
    for (const value of values) {
      const keyword = (KEYWORDS_OF[typeOf(value)] ?? []).find((keyword) => keyword in schema);
      if (keyword) throw unsupported(keyword, path, "the values are listed");
    }
    return choice(...values.map(literal));
  }

  #ofType(
    type: JsonType,
    types: ReadonlySet<JsonType>,
    schema: SchemaObject,
    path: string,
  ): Expression {
    switch (type) {
      case "null":
        return text("null");
      case "boolean":
        return choice(text("true"), text("false"));
      case "integer":
        return types.has("number") ? NOTHING : numberOf(schema, path, true);
      case "number":
        return numberOf(schema, path, false);
      case "string":
        return stringOf(schema, path);
      case "array":
        return arrayOf(schema, path, this);
      case "object":
        return objectOf(schema, path, this, this.#rules);
    }
  }
}

function isOfType(value: unknown, type: JsonType): boolean {
  return type === "integer" ? Number.isInteger(value) : typeOf(value) === type;
}

function unescapePointer(key: string): string {
  const decoded = /%[0-9a-f]{2}/i.test(key) ? decodeURIComponent(key) : key;
  return decoded.replaceAll("~1", "/").replaceAll("~0", "~");
}
