import { type Expression, NOTHING, type Rules, choice, text } from "./expression.ts";
import { GrammarError } from "./grammar-error.ts";
import { literal } from "./json-text.ts";
import { type SchemaContext, arrayOf, objectOf } from "./schema-containers.ts";
import { areDisjoint, listedValues, typeOf } from "./schema-disjoint.ts";
import {
  type JsonType,
  KEYWORDS_OF,
  type SchemaObject,
  checkKeywords,
  meansFalse,
  atPath,
  typesOf,
  pointerTo,
  unsupported,
} from "./schema-keywords.ts";
import { mergeSchemas, withoutAnnotations } from "./schema-merge.ts";
import { numberOf, stringOf } from "./schema-scalars.ts";
import type { JsonSchema } from "./source.ts";

/**
 * Compiles a JSON schema to JSON texts whose values are valid by it. Entries are separated by at most
 * one space. Properties are in the schema's order. Properties that the schema does not name are
 * allowed only where `additionalProperties` or `patternProperties` says so.
 *
 * @param rules receives the expression's rules
 * @param strict whether a keyword that can't be enforced is an error. Otherwise it is ignored, and
 *   named in the log.
 * @throws GrammarError for a malformed schema; with `strict`, for a keyword that can't be enforced
 */
export function schemaExpression(schema: JsonSchema, rules: Rules, strict = true): Expression {
  return new SchemaReader(schema, rules, strict).read(schema, "");
}

const MOST_SCHEMAS = 50_000;

class SchemaReader implements SchemaContext {
  readonly #document: JsonSchema;
  readonly #rules: Rules;
  readonly #strict: boolean;
  /** How many schemas were flattened. References multiply them. */
  #flattened = 0;
  /** By the schema's JSON, so that a schema that refers to itself ends. */
  readonly #known = new Map<string, Expression>();

  constructor(document: JsonSchema, rules: Rules, strict: boolean) {
    this.#document = document;
    this.#rules = rules;
    this.#strict = strict;
  }

  readonly cannot = (error: GrammarError): void => {
    if (this.#strict) throw error;
    logIgnored(error.message);
  };

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

  /** @returns the schema without `$ref` and `allOf` */
  flatten(schema: JsonSchema, path: string, referred: readonly string[] = []): JsonSchema {
    if (typeof schema === "boolean") return schema;
    if (++this.#flattened > MOST_SCHEMAS) throw new GrammarError("the schema is too large");
    checkKeywords(schema, path, this.cannot);
    if (meansFalse(schema)) return false;
    const { $ref, allOf = [], ...rest } = schema as SchemaObject;
    let flat: JsonSchema = rest;
    if ($ref !== undefined) {
      if (referred.includes($ref)) {
        throw new GrammarError(`'$ref' ${atPath(path)} refers to itself`);
      }
      const [target, at] = this.#resolve($ref, path);
      const referredTo = this.flatten(target, at, [...referred, $ref]);
      flat = mergeSchemas(flat, referredTo, path, this.cannot);
    }
    for (const [i, part] of allOf.entries()) {
      const at = pointerTo(path, "allOf", i);
      flat = mergeSchemas(flat, this.flatten(part, at, referred), at, this.cannot);
    }
    return flat;
  }

  #resolve($ref: string, path: string): readonly [JsonSchema, string] {
    if (!/^#(\/|$)/.test($ref)) {
      const why = "it must be a JSON pointer in this schema, such as '#/$defs/a'";
      this.cannot(unsupported("$ref", path, why));
      return [true, path];
    }
    const keys = $ref.split("/").slice(1);
    let found: unknown = this.#document;
    for (const key of keys.map(unescapePointer)) {
      found = Object.hasOwn(Object(found) as object, key)
        ? (found as Readonly<Record<string, unknown>>)[key]
        : undefined;
    }
    if (typeof found !== "boolean" && typeOf(found ?? null) !== "object") {
      throw new GrammarError(`'$ref' ${atPath(path)} refers to ${$ref}, which does not exist`);
    }
    return [found as JsonSchema, $ref.slice(1)];
  }

  #values(schema: SchemaObject, path: string): Expression {
    for (const keyword of ["anyOf", "oneOf"] as const) {
      const options = schema[keyword];
      if (!options) continue;
      if (keyword === "oneOf") this.#checkDisjoint(options, path);
      const rest = Object.fromEntries(Object.entries(schema).filter(([name]) => name !== keyword));
      return choice(
        ...options.map((option, i) => {
          const at = pointerTo(path, keyword, i);
          const merged = mergeSchemas(rest, this.flatten(option, at), at, this.cannot);
          return this.#readFlat(merged, at);
        }),
      );
    }
    if ("const" in schema || schema.enum) return this.#listed(schema, path);
    const types = typesOf(schema);
    return choice(...[...types].map((type) => this.#ofType(type, types, schema, path)));
  }

  /** `oneOf` needs schemas without common values: a match of one must not match another. */
  #checkDisjoint(options: readonly JsonSchema[], path: string): void {
    const flatten = (schema: JsonSchema) => this.flatten(schema, path);
    const apart = options.every((a, i) =>
      options.slice(i + 1).every((b) => areDisjoint(a, b, flatten)),
    );
    if (apart) return;
    const why = "its schemas must differ by type, or by the values of a required property";
    this.cannot(unsupported("oneOf", path, `${why}; 'anyOf' may overlap`));
  }

  #listed(schema: SchemaObject, path: string): Expression {
    const values = listedValues(schema);
    for (const value of values) {
      const keyword = (KEYWORDS_OF[typeOf(value)] ?? []).find((keyword) => keyword in schema);
      if (keyword) this.cannot(unsupported(keyword, path, "the values are listed"));
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
        return types.has("number") ? NOTHING : numberOf(schema, path, true, this.cannot);
      case "number":
        return numberOf(schema, path, false, this.cannot);
      case "string":
        return stringOf(schema, path, this.cannot);
      case "array":
        return arrayOf(schema, path, this, this.#rules);
      case "object":
        return objectOf(schema, path, this, this.#rules);
    }
  }
}

/** So that neither the log nor the memory fills up. */
const MOST_LOGGED = 100;

const logged = new Set<string>();

/** Writes a sentence about an ignored keyword to the log, once. */
function logIgnored(message: string): void {
  if (logged.has(message) || logged.size >= MOST_LOGGED) return;
  logged.add(message);
  console.warn(`webvlm: in a JSON schema that is not strict, ${message}; it is ignored.`);
}

function unescapePointer(key: string): string {
  const decoded = /%[0-9a-f]{2}/i.test(key) ? decodeURIComponent(key) : key;
  return decoded.replaceAll("~1", "/").replaceAll("~0", "~");
}
