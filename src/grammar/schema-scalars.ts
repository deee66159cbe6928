import { isPossible } from "./expression-checks.ts";
import { type Expression, NOTHING, all, chars, repeat } from "./expression.ts";
import { GrammarError } from "./grammar-error.ts";
import { escaped, quoted } from "./json-text.ts";
import { type Bounds, integerExpression, numberExpression } from "./number-range.ts";
import { UnsupportedRegexError, regexExpression } from "./regex.ts";
import { type Cannot, type SchemaObject, atPath, unsupported } from "./schema-keywords.ts";
import { ANY_STRING_FORMATS, OTHER_FORMATS, STRING_FORMATS } from "./string-format.ts";

export function stringOf(schema: SchemaObject, path: string, cannot: Cannot): Expression {
  const { pattern, format, minLength: min = 0, maxLength: max = Infinity } = schema;
  const patterns = [pattern ?? []].flat();
  const conditions = patterns.map((pattern) => patternExpression(pattern, "pattern", path, cannot));
  // A format that no standard defines is only a name for the pattern.
  if (format !== undefined && (patterns.length === 0 || isStandard(format))) {
    conditions.push(formatExpression(format, path, cannot));
  }
  const known = conditions.filter((condition) => condition !== undefined);
  if (known.length === 0 || min > 0 || max < Infinity) {
    known.push(repeat(chars([0, 0x10ffff]), min, max));
  }
  const content = escaped(all(known));
  return isPossible(content) ? quoted(content) : NOTHING;
}

/**
 * @param keyword the keyword that contains the pattern, for errors
 * @returns undefined for an expression that can't be enforced, if `cannot` returns
 * @throws GrammarError for an expression that is malformed
 */
export function patternExpression(
  pattern: string,
  keyword: string,
  path: string,
  cannot: Cannot,
): Expression | undefined {
  try {
    return regexExpression(pattern, "anywhere");
  } catch (cause) {
    if (!(cause instanceof GrammarError)) throw cause;
    const error = new GrammarError(`'${keyword}' ${atPath(path)}: ${cause.message}`, { cause });
    if (!(cause instanceof UnsupportedRegexError)) throw error;
    cannot(error);
    return undefined;
  }
}

function isStandard(format: string): boolean {
  return Object.hasOwn(STRING_FORMATS, format) || OTHER_FORMATS.includes(format);
}

function formatExpression(format: string, path: string, cannot: Cannot): Expression | undefined {
  if (ANY_STRING_FORMATS.includes(format)) return undefined;
  if (Object.hasOwn(STRING_FORMATS, format)) {
    return regexExpression(STRING_FORMATS[format] as string, "whole");
  }
  const known = Object.keys(STRING_FORMATS).join(", ");
  cannot(unsupported("format", path, `'${format}' is not one of ${known}`));
  return undefined;
}

/** Formats that every number that we write has. */
const NUMBER_FORMATS = ["float", "double", "decimal", "unix-time"];

/** @returns the limits of `int8`, `uint32` and the like; undefined for another format */
function integerLimits(format = ""): readonly [number, number] | undefined {
  const [, unsigned, digits] = /^(u?)int(8|16|32|64|128)?$/.exec(format) ?? [];
  if (unsigned === undefined) return undefined;
  // The integers that we write without a bound fit into 64 bits; larger limits say no more.
  const bits = Number(digits ?? 64);
  if (bits >= 64) return [unsigned ? 0 : -Infinity, Infinity];
  return unsigned ? [0, 2 ** bits - 1] : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
}

export function numberOf(
  schema: SchemaObject,
  path: string,
  integer: boolean,
  cannot: Cannot,
): Expression {
  const { multipleOf, format, exclusiveMinimum, exclusiveMaximum } = schema;
  let { minimum, maximum } = schema;
  if (multipleOf !== undefined && multipleOf !== 1) {
    cannot(unsupported("multipleOf", path, "only 1 is"));
  }
  const limits = integerLimits(format);
  if (limits) {
    const [least, most] = limits;
    if (least > -Infinity) minimum = Math.max(minimum ?? -Infinity, least);
    if (most < Infinity) maximum = Math.min(maximum ?? Infinity, most);
  } else if (format !== undefined && !NUMBER_FORMATS.includes(format)) {
    const known = NUMBER_FORMATS.join(", ");
    const why = `'${format}' is not one of ${known}, and no integer's, such as int32 or uint8`;
    cannot(unsupported("format", path, why));
  }
  const bounds: Bounds = { minimum, maximum, exclusiveMinimum, exclusiveMaximum };
  const whole = integer || multipleOf === 1 || limits !== undefined;
  return whole ? integerExpression(bounds) : numberExpression(bounds);
}
