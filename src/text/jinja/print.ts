import { JinjaError } from "./jinja-error.ts";
import {
  Callable,
  Dict,
  DictView,
  integerOf,
  Loop,
  Namespace,
  sequenceItems,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from "./value.ts";

/** @returns a value as Python's `str` writes it; undefined values are "" */
export function str(value: Value): string {
  if (typeof value === "string") return value;
  return value instanceof Undefined ? "" : repr(value);
}

/** @returns a value as Python's `repr` writes it */
export function repr(value: Value): string {
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (typeof value === "bigint") return `${value}`;
  if (typeof value === "number") return floatText(value);
  if (typeof value === "string") return quoted(value);
  if (value instanceof Tuple) {
    const items = value.items.map(repr);
    return items.length === 1 ? `(${items[0]},)` : `(${items.join(", ")})`;
  }
  if (value instanceof Dict) {
    return `{${value
      .entries()
      .map(([key, entry]) => `${repr(key)}: ${repr(entry)}`)
      .join(", ")}}`;
  }
  if (value instanceof DictView) return `${value.kind}(${repr(value.items)})`;
  if (value instanceof Undefined) return "Undefined";
  if (value instanceof Namespace) return `<Namespace ${repr(value.attributes)}>`;
  if (value instanceof Loop) return `<LoopContext ${value.index0 + 1}/${value.items.length}>`;
  if (value instanceof Callable) return `<function ${value.name}>`;
  return `[${(sequenceItems(value) ?? []).map(repr).join(", ")}]`;
}

/** @returns a float as Python writes it: `1.0`, `1e+16`, `1e-05`, `inf` */
function floatText(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Object.is(value, -0)) return "-0.0";
  const [digits = "0", power = "0"] = value.toExponential().split("e");
  const exponent = Number(power);
  if (value !== 0 && (exponent < -4 || exponent >= 16)) {
    const sign = exponent < 0 ? "-" : "+";
    return `${digits}e${sign}${`${Math.abs(exponent)}`.padStart(2, "0")}`;
  }
  if (Number.isInteger(value)) return `${BigInt(value)}.0`;
  // JavaScript uses an exponent below 1e-6 only, so this is positional.
  return String(value);
}

const ESCAPES: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
};

/** Python prefers single quotes, unless only those occur in the text. */
function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = [...text].map((character) => {
    if (character === quote) return `\\${quote}`;
    return ESCAPES[character] ?? (isPrintable(character) ? character : codeEscape(character));
  });
  return quote + escaped.join("") + quote;
}

/** Python's `str.isprintable` for one character. */
export function isPrintable(character: string): boolean {
  return character === " " || !/[\p{C}\p{Z}]/u.test(character);
}

function codeEscape(character: string): string {
  const code = character.codePointAt(0) as number;
  const hex = code.toString(16);
  if (code < 0x100) return `\\x${hex.padStart(2, "0")}`;
  return code < 0x10000 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
}

/** The options of Python's `json.dumps`. */
export interface JsonOptions {
  readonly indent?: string | undefined;
  readonly itemSeparator?: string;
  readonly keySeparator?: string;
  readonly sortKeys?: boolean;
  /** Escapes characters beyond ASCII. */
  readonly ascii?: boolean;
}

/**
 * Writes JSON as Python's `json.dumps` does.
 *
 * @throws JinjaError for values without a JSON form
 */
export function json(value: Value, options: JsonOptions = {}): string {
  return write(value, options, "\n");
}

function write(value: Value, options: JsonOptions, newline: string): string {
  if (value === null) return "null";
  if (typeof value === "boolean") return String(value);
  if (typeof value === "bigint") return `${value}`;
  if (typeof value === "number") return jsonFloat(value);
  if (typeof value === "string") return jsonText(value, options);
  const items = sequenceItems(value);
  if (items)
    return wrap(items, "[]", options, newline, (item, inner) => write(item, options, inner));
  if (value instanceof Dict) {
    const entries = value.entries().map(([key, entry]) => [jsonKey(key), entry] as const);
    if (options.sortKeys) entries.sort(([a], [b]) => (a < b ? -1 : 1));
    return wrap(entries, "{}", options, newline, ([key, entry], inner) => {
      const separator = options.keySeparator ?? ": ";
      return jsonText(key, options) + separator + write(entry, options, inner);
    });
  }
  if (value instanceof Undefined) throw value.error;
  throw new JinjaError(`Object of type ${typeName(value)} is not JSON serializable`);
}

function wrap<T>(
  items: readonly T[],
  [open, close]: string,
  { indent, itemSeparator }: JsonOptions,
  newline: string,
  writeItem: (item: T, newline: string) => string,
): string {
  if (items.length === 0) return `${open}${close}`;
  const inner = indent === undefined ? "" : newline + indent;
  const separator = (itemSeparator ?? (indent === undefined ? ", " : ",")) + inner;
  const written = items.map((item) => writeItem(item, indent === undefined ? newline : inner));
  return `${open}${inner}${written.join(separator)}${indent === undefined ? "" : newline}${close}`;
}

function jsonFloat(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "Infinity" : "-Infinity";
  return floatText(value);
}

function jsonKey(key: Value): string {
  if (typeof key === "string") return key;
  if (key === null || typeof key === "boolean") return String(key);
  if (typeof key === "number") return jsonFloat(key);
  const integer = integerOf(key);
  if (integer !== undefined) return `${integer}`;
  throw new JinjaError(`keys must be str, int, float, bool or None, not ${typeName(key)}`);
}

const JSON_ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
};

function jsonText(text: string, { ascii = false }: JsonOptions): string {
  const special = ascii ? /["\\\x00-\x1f]|[^\x00-\x7f]/g : /["\\\x00-\x1f]/g;
  const escaped = text.replaceAll(special, (unit) => {
    return JSON_ESCAPES[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
  return `"${escaped}"`;
}
