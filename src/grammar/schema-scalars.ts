import { isPossible } from "./expression-checks.ts";
import { type Expression, NOTHING, all, chars, repeat } from "./expression.ts";
import { GrammarError } from "./grammar-error.ts";
import { escaped, quoted } from "./json-text.ts";
import { type Bounds, integerExpression, numberExpression } from "./number-range.ts";
import { regexExpression } from "./regex.ts";
import { type SchemaObject, atPath, unsupported } from "./schema-keywords.ts";
import { OTHER_FORMATS, STRING_FORMATS } from "./string-format.ts";

export function stringOf(schema: SchemaObject, path: string): Expression {
  const { pattern, format, minLength: min = 0, maxLength: max = Infinity } = schema;
  const patterns = [pattern ?? []].flat();
  const conditions = patterns.map((pattern) => patternExpression(pattern, "pattern", path));
  // A format that no standard defines is only a name for the pattern.
  if (format !== undefined && (patterns.length === 0 || isStandard(format))) {
    conditions.push(formatExpression(format, path));
  }
  if (conditions.length === 0 || min > 0 || max < Infinity) {
    conditions.push(repeat(chars([0, 0x10ffff]), min, max));
  }
  const content = escaped(all(conditions));
  return isPossible(content) ? quoted(content) : NOTHING;
}

/** @param keyword the keyword that contains the pattern, for errors */
export function patternExpression(pattern: string, keyword: string, path: string): Expression {
  try {
    return regexExpression(pattern, "anywhere");
  } catch (cause) {
    if (!(cause instanceof GrammarError)) throw cause;
    throw new GrammarError(`'${keyword}' ${atPath(path)}: ${cause.message}`, { cause });
  }
}

function isStandard(format: string): boolean {
  return Object.hasOwn(STRING_FORMATS, format) || OTHER_FORMATS.includes(format);
}

function formatExpression(format: string, path: string): Expression {
  const expression = Object.hasOwn(STRING_FORMATS, format) ? STRING_FORMATS[format] : undefined;
  if (expression === undefined) {
    const known = Object.keys(STRING_FORMATS).join(", ");
    throw unsupported("format", path, `'${format}' is not one of ${known}`);
  }
  return regexExpression(expression, "whole");
}

/** Formats that every number that we write has. */
const NUMBER_FORMATS = ["int64", "float", "double"];

export function numberOf(schema: SchemaObject, path: string, integer: boolean): Expression {
  const { multipleOf, format, exclusiveMinimum, exclusiveMaximum } = schema;
  let { minimum, maximum } = schema;
  if (multipleOf !== undefined && multipleOf !== 1) {
    throw unsupported("multipleOf", path, "only 1 is");
  }
  if (format === "int32") {
    minimum = Math.max(minimum ?? -Infinity, -(2 ** 31));
    maximum = Math.min(maximum ?? Infinity, 2 ** 31 - 1);
  } else if (format !== undefined && !NUMBER_FORMATS.includes(format)) {
    throw unsupported(
      "format",
      path,
      `'${format}' is not one of int32, ${NUMBER_FORMATS.join(", ")}`,
    );
  }
  const bounds: Bounds = { minimum, maximum, exclusiveMinimum, exclusiveMaximum };
  const whole = integer || multipleOf !== undefined || format === "int32";
  return whole ? integerExpression(bounds) : numberExpression(bounds);
}
