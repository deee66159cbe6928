import { JinjaError } from "./jinja-error.ts";
import { json, repr, str } from "./print.ts";
import {
  Dict,
  integerOf,
  type Named,
  sequenceItems,
  toNumber,
  Tuple,
  typeName,
  type Value,
} from "./value.ts";

const PERCENT = /%(?:\((\w+)\))?([-+ 0#]*)(\*|\d+)?(?:\.(\*|\d+))?([a-zA-Z%])/g;

/**
 * Formats as Python's `%` operator does.
 *
 * @throws JinjaError for unsupported conversions and for missing or surplus arguments
 */
export function formatPercent(format: string, values: Value): string {
  const items = values instanceof Tuple ? values.items : [values];
  let next = 0;
  const take = (): Value => {
    if (next >= items.length) throw new JinjaError("not enough arguments for format string");
    return items[next++] as Value;
  };
  const text = format.replaceAll(
    PERCENT,
    (_, key?: string, flags = "", width?: string, precision?: string, type = "") => {
      if (type === "%") return "%";
      const size = width === "*" ? Number(integerOf(take()) ?? 0n) : Number(width ?? 0);
      const digits = precision === "*" ? Number(integerOf(take()) ?? 0n) : precision;
      const value = key === undefined ? take() : itemOf(values, key);
      const written = convert(
        value,
        type,
        digits === undefined ? undefined : Number(digits),
        flags,
      );
      if (flags.includes("-")) return written.padEnd(size);
      const zero = flags.includes("0") && toNumber(value) !== undefined;
      return zero ? zeroPadded(written, size) : written.padStart(size);
    },
  );
  const surplus = next < items.length && !(values instanceof Dict) && !sequenceIsMapping(values);
  if (surplus) throw new JinjaError("not all arguments converted during string formatting");
  return text;
}

/** Python does not count a list as surplus, because it can be indexed like a mapping. */
function sequenceIsMapping(values: Value): boolean {
  return Array.isArray(values);
}

function itemOf(values: Value, key: string): Value {
  const value = values instanceof Dict ? values.get(key) : undefined;
  if (value === undefined) throw new JinjaError(`'${key}' is missing in the values of a format`);
  return value;
}

function convert(value: Value, type: string, digits: number | undefined, flags: string): string {
  const plus = flags.includes("+") ? "+" : flags.includes(" ") ? " " : "";
  const signed = (text: string) => (text.startsWith("-") ? text : plus + text);
  switch (type) {
    case "s":
      return [...str(value)].slice(0, digits).join("");
    case "r":
      return [...repr(value)].slice(0, digits).join("");
    case "a":
      return json(str(value), { ascii: true });
    case "c":
      return typeof value === "bigint" ? String.fromCodePoint(Number(value)) : str(value);
  }
  const number = toNumber(value);
  if (number === undefined) {
    throw new JinjaError(`%${type} format: a real number is required, not ${typeName(value)}`);
  }
  const integer = integerOf(value) ?? BigInt(Number.isFinite(number) ? Math.trunc(number) : 0);
  switch (type) {
    case "d":
    case "i":
    case "u":
      return signed(`${integer}`);
    case "x":
      return signed((flags.includes("#") ? "0x" : "") + integer.toString(16));
    case "X":
      return signed((flags.includes("#") ? "0X" : "") + integer.toString(16).toUpperCase());
    case "o":
      return signed((flags.includes("#") ? "0o" : "") + integer.toString(8));
    case "f":
    case "F":
      return signed(fixed(number, digits ?? 6));
    case "e":
    case "E": {
      const text = exponential(number, digits ?? 6);
      return signed(type === "E" ? text.toUpperCase() : text);
    }
    case "g":
    case "G": {
      const text = general(number, digits ?? 6);
      return signed(type === "G" ? text.toUpperCase() : text);
    }
  }
  throw new JinjaError(`unsupported format character '${type}'`);
}

/** Rounds the exact value of a double half to even, as C does. */
export function fixed(value: number, digits: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
  // toFixed rounds the exact value, but ties away from zero.
  const text = value.toFixed(Math.min(digits, 100));
  const exact = value.toFixed(Math.min(digits + 60, 100));
  const isTie = /^50*$/.test(exact.slice(exact.length - Math.min(60, 100 - digits)));
  if (!isTie) return text;
  const truncated = digits === 0 ? exact.split(".")[0] : exact.slice(0, text.length);
  return /[13579]$/.test(truncated as string) ? text : (truncated as string);
}

function exponential(value: number, digits: number): string {
  const [mantissa = "", power = "0"] = value.toExponential(digits).split("e");
  const sign = power.startsWith("-") ? "-" : "+";
  return `${mantissa}e${sign}${power.replace(/^[+-]/, "").padStart(2, "0")}`;
}

function general(value: number, digits: number): string {
  const precision = Math.max(1, digits);
  const exponent = value === 0 ? 0 : Number(value.toExponential(precision - 1).split("e")[1]);
  const text =
    exponent < -4 || exponent >= precision
      ? exponential(value, precision - 1)
      : fixed(value, precision - 1 - exponent);
  return text.replace(/(\.\d*?)0+(?=e|$)/, "$1").replace(/\.(?=e|$)/, "");
}

function zeroPadded(text: string, width: number): string {
  const sign = /^[+ -]/.exec(text)?.[0] ?? "";
  return sign + text.slice(sign.length).padStart(width - sign.length, "0");
}

const FIELD = /\{\{|\}\}|\{([^{}!:]*)(?:!([rs]))?(?::([^{}]*))?\}/g;
const SPEC = /^(?:(.)?([<>^=]))?([-+ ])?(0)?(\d+)?(,)?(?:\.(\d+))?([a-zA-Z%])?$/u;

/** Formats as Python's `str.format` does, with the common format specifications. */
export function formatBraces(format: string, args: readonly Value[], named: Named): string {
  let next = 0;
  return format.replaceAll(FIELD, (match, name = "", conversion?: string, spec = "") => {
    if (match === "{{" || match === "}}") return match[0] as string;
    const [key = "", ...path] = name
      .split(/[.[\]]+/)
      .filter((part: string, i: number) => i === 0 || part);
    let value = key === "" ? args[next++] : /^\d+$/.test(key) ? args[Number(key)] : named.get(key);
    for (const part of path) value = partOf(value, part);
    if (value === undefined) throw new JinjaError(`format() has no argument '${name || next - 1}'`);
    if (conversion) value = conversion === "r" ? repr(value) : str(value);
    return formatSpec(value, spec);
  });
}

function partOf(value: Value | undefined, key: string): Value | undefined {
  if (value instanceof Dict) return value.get(key);
  return value === undefined ? undefined : sequenceItems(value)?.[Number(key)];
}

function formatSpec(value: Value, spec: string): string {
  const parsed = SPEC.exec(spec);
  if (!parsed) throw new JinjaError(`invalid format specifier '${spec}'`);
  const [, fill = " ", align, sign = "", zero, width = "0", comma, precision, type] = parsed;
  const digits = precision === undefined ? undefined : Number(precision);
  const number = toNumber(value);
  const isNumber = number !== undefined && typeof value !== "boolean";
  let text: string;
  if (type === "%") text = `${fixed((number ?? 0) * 100, digits ?? 6)}%`;
  else if (type) text = convert(value, type, digits, sign);
  else if (isNumber && digits !== undefined) text = convert(value, "g", digits, sign);
  else text = [...str(value)].slice(0, digits).join("");
  if (comma) text = text.replace(/\d+/, (whole) => whole.replaceAll(/\B(?=(\d{3})+$)/g, ","));
  const size = Number(width);
  if (zero && isNumber) return zeroPadded(text, size);
  const missing = Math.max(0, size - [...text].length);
  switch (align ?? (isNumber ? ">" : "<")) {
    case ">":
      return fill.repeat(missing) + text;
    case "^":
      return fill.repeat(Math.floor(missing / 2)) + text + fill.repeat(Math.ceil(missing / 2));
    case "=":
      return text.replace(/^[+ -]?/, (prefix) => prefix + fill.repeat(missing));
    default:
      return text + fill.repeat(missing);
  }
}
