import type { JsonSchema } from "../src/grammar/source.ts";

/** @returns a whole number from 0 to `below` - 1 */
type Random = (below: number) => number;

/** Keys that are hard to handle: quotes, escapes, other scripts, names of Object.prototype. */
const KEYS = [
  "a",
  "name",
  "é",
  "日本",
  'qu"ote',
  "back\\slash",
  "new\nline",
  "constructor",
  "",
  "a/b",
];
const TEXTS = ["red", "", 'say "hi"', "tab\t", "naïve", "🐻", "\\", "null"];
const PATTERNS = [
  "^[a-z]{1,4}$",
  "^\\d{2}-\\d{2}$",
  '^["\\\\]{1,3}$',
  "^(foo|bär|🐻){1,2}$",
  "^[^a-z]$",
  "^(?!a)(?=.*b)[a-c]{1,3}$",
];
const FORMATS = ["date", "time", "date-time", "email", "uuid", "ipv4", "ipv6", "hostname"];

/**
 * A random JSON schema (Draft 2020-12). At least one value is valid, and valid values have a limited
 * length.
 *
 * @param random the only source of randomness
 * @param depth how deep objects and arrays may be nested
 */
export function randomSchema(random: Random, depth = 3): JsonSchema {
  const schema = object(random, depth);
  if (random(3) > 0) return schema;
  // A definition to which the properties and the definition itself refer.
  const node = {
    type: "object",
    properties: {
      value: scalar(random),
      next: { anyOf: [{ $ref: "#/$defs/node" }, { type: "null" }] },
    },
    required: ["value", "next"],
    additionalProperties: false,
  };
  const properties = { ...(schema.properties as object), list: { $ref: "#/$defs/node" } };
  return { ...schema, properties, $defs: { node } };
}

function any(random: Random, depth: number): Record<string, unknown> {
  const kind = random(depth > 0 ? 10 : 6);
  if (kind < 6) return scalar(random);
  if (kind < 8) return object(random, depth - 1);
  if (kind < 9) return array(random, depth - 1);
  return { anyOf: [any(random, depth - 1), any(random, depth - 1)] };
}

function object(random: Random, depth: number): Record<string, unknown> {
  const properties = Object.fromEntries(
    subset(random, KEYS, 4).map((key) => [key, any(random, depth)]),
  );
  const required = Object.keys(properties).filter(() => random(2) === 0);
  return {
    type: "object",
    properties,
    ...(random(3) > 0 && { required }),
    ...(random(3) > 0 && { additionalProperties: false }),
    ...(random(5) === 0 && { minProperties: Math.min(1, Object.keys(properties).length) }),
  };
}

function array(random: Random, depth: number): Record<string, unknown> {
  const minItems = random(3);
  const maxItems = minItems + random(3);
  const prefixItems = [any(random, depth), any(random, depth)];
  return {
    type: "array",
    items: any(random, depth),
    minItems,
    maxItems,
    ...(random(4) === 0 && { prefixItems }),
  };
}

function scalar(random: Random): Record<string, unknown> {
  switch (random(9)) {
    case 0:
      return { type: "boolean" };
    case 1:
      return { type: random(2) ? "null" : ["boolean", "null"] };
    case 2:
      return { enum: [...subset(random, TEXTS, 3), 1.5, null, { a: ["b"] }] };
    case 3:
      return { const: TEXTS[random(TEXTS.length)] };
    case 4: {
      const pattern = PATTERNS[random(PATTERNS.length)];
      // Possible lengths of a match of each pattern.
      return { type: "string", pattern, ...(random(2) && { minLength: 1, maxLength: 5 }) };
    }
    case 5:
      return { type: "string", format: FORMATS[random(FORMATS.length)] };
    case 6: {
      const minLength = random(3);
      return { type: "string", minLength, maxLength: minLength + random(8) };
    }
    case 7:
      return { type: "integer", ...bounds(random, 1) };
    default:
      return { type: "number", ...bounds(random, [1, 0.1, 0.001, 1e-9][random(4)] as number) };
  }
}

/** Bounds with several values between them. */
function bounds(random: Random, unit: number): Record<string, unknown> {
  const low = (random(2000) - 1000) * unit;
  const high = low + (2 + random(3000)) * unit;
  return {
    [random(2) ? "minimum" : "exclusiveMinimum"]: low,
    [random(2) ? "maximum" : "exclusiveMaximum"]: high,
  };
}

/** @returns a random sublist in the original order, with at least one element */
function subset<T>(random: Random, list: readonly T[], most: number): T[] {
  const chosen = new Set(Array.from({ length: 1 + random(most) }, () => random(list.length)));
  return list.filter((_, i) => chosen.has(i));
}
