import { bind, toInteger, toText } from "./arguments.ts";
import { badInput, type JinjaFilter } from "./filter.ts";
import { fixed, formatPercent } from "./format.ts";
import { JinjaError } from "./jinja-error.ts";
import { json, repr, str } from "./print.ts";
import { capitalize, replace, STRING_METHODS, stripped } from "./string-methods.ts";
import {
  Dict,
  integerOf,
  isTruthy,
  iterate,
  sequenceItems,
  toNumber,
  Tuple,
  Undefined,
  type Value,
} from "./value.ts";

/** Jinja2's filters for texts, numbers and single values, with transformers' `tojson`. */
export const TEXT_FILTERS: Readonly<Record<string, JinjaFilter>> = {
  abs: (input) => {
    if (typeof input === "number") return Math.abs(input);
    const integer = integerOf(input);
    if (integer === undefined) throw badInput("abs", input);
    return integer < 0n ? -integer : integer;
  },
  capitalize: (input) => capitalize(str(input)),
  center: (input, args, named) => {
    const [width = 80n] = bind("center", ["width"], args, named);
    return (STRING_METHODS["center"] as JinjaFilter)(str(input), [width], new Map());
  },
  default: (input, args, named) => {
    const [fallback = "", boolean = false] = bind(
      "default",
      ["default_value", "boolean"],
      args,
      named,
    );
    const missing = input instanceof Undefined || (isTruthy(boolean) && !isTruthy(input));
    return missing ? fallback : input;
  },
  escape: (input) => escapeHtml(str(input)),
  float: (input, args, named) => {
    const [fallback = 0] = bind("float", ["default"], args, named);
    const number = toNumber(input) ?? parseFloatText(input);
    return number ?? fallback;
  },
  format: (input, args, named) => {
    const values = named.size > 0 ? new Dict(named) : new Tuple(args);
    return formatPercent(str(input), values);
  },
  indent: (input, args, named) => {
    const [width = 4n, first = false, blank = false] = bind(
      "indent",
      ["width", "first", "blank"],
      args,
      named,
    );
    const by = typeof width === "string" ? width : " ".repeat(toInteger("indent", width));
    // As Jinja2 does, a final newline counts as a further empty line.
    const lines = str(input).split("\n");
    const indented = lines.map((line, i) => {
      const skip = (i === 0 && !isTruthy(first)) || (line === "" && !isTruthy(blank));
      return skip && !(i === 0 && isTruthy(first)) ? line : by + line;
    });
    return indented.join("\n");
  },
  int: (input, args, named) => {
    const [fallback = 0n, base = 10n] = bind("int", ["default", "base"], args, named);
    return parseInteger(input, toInteger("int", base)) ?? fallback;
  },
  lower: (input) => str(input).toLowerCase(),
  pprint: (input) => repr(input),
  replace: (input, args, named) => {
    const [from = "", to = "", count = null] = bind(
      "replace",
      ["old", "new", "count"],
      args,
      named,
      2,
    );
    const most = count === null ? -1 : toInteger("replace", count);
    return replace(str(input), str(from), str(to), most);
  },
  round: (input, args, named) => {
    const [precision = 0n, method = "common"] = bind("round", ["precision", "method"], args, named);
    return round(input, toInteger("round", precision), toText("round", method));
  },
  safe: (input) => str(input),
  string: (input) => str(input),
  striptags: (input) =>
    str(input)
      .replaceAll(/<!--.*?-->|<[^>]*>/gs, "")
      .split(/\s+/)
      .filter(Boolean)
      .join(" "),
  title: (input) =>
    // Jinja2's own filter: a capital after spaces, hyphens and opening brackets only.
    str(input)
      .split(/([-\s({[<]+)/)
      .map(capitalize)
      .join(""),
  tojson: (input, args, named) => {
    const names = ["ensure_ascii", "indent", "separators", "sort_keys"];
    const [ascii = false, indent = null, separators = null, sortKeys = false] = bind(
      "tojson",
      names,
      args,
      named,
    );
    const [itemSeparator, keySeparator] = sequenceItems(separators) ?? [];
    const spaces = typeof indent === "string" ? indent : undefined;
    return json(input, {
      ascii: isTruthy(ascii),
      indent: indent === null ? undefined : (spaces ?? " ".repeat(toInteger("tojson", indent))),
      sortKeys: isTruthy(sortKeys),
      ...(itemSeparator !== undefined && { itemSeparator: str(itemSeparator) }),
      ...(keySeparator !== undefined && { keySeparator: str(keySeparator) }),
    });
  },
  trim: (input, args, named) => {
    const [characters = null] = bind("trim", ["chars"], args, named);
    return stripped(str(input), characters === null ? undefined : str(characters), true, true);
  },
  truncate: (input, args, named) => {
    const names = ["length", "killwords", "end", "leeway"];
    const [length = 255n, kill = false, end = "...", leeway = 5n] = bind(
      "truncate",
      names,
      args,
      named,
    );
    const [text, most] = [[...str(input)], toInteger("truncate", length)];
    if (text.length <= most + toInteger("truncate", leeway)) return text.join("");
    const cut = text.slice(0, most - [...str(end)].length).join("");
    return (isTruthy(kill) ? cut : cut.replace(/ [^ ]*$/, "")) + str(end);
  },
  upper: (input) => str(input).toUpperCase(),
  urlencode: (input) => {
    if (typeof input === "string") return encodeUrl(input, "/");
    const pairs =
      input instanceof Dict ? input.entries() : iterate(input).map((pair) => iterate(pair));
    const form = (part: Value) => encodeUrl(str(part), "").replaceAll("%20", "+");
    return pairs.map((pair) => pair.map(form).join("=")).join("&");
  },
  wordcount: (input) => BigInt(str(input).match(/[\p{L}\p{N}_]+/gu)?.length ?? 0),
};

function round(input: Value, precision: number, method: string): Value {
  const number = toNumber(input);
  if (number === undefined) throw badInput("round", input);
  const integer = integerOf(input);
  if (!["common", "ceil", "floor"].includes(method)) {
    throw new JinjaError("method must be common, ceil or floor");
  }
  const scale = 10 ** precision;
  if (method === "common" && integer !== undefined) return roundInteger(integer, precision);
  if (method === "ceil") return Math.ceil(number * scale) / scale;
  if (method === "floor") return Math.floor(number * scale) / scale;
  if (precision >= 0) return Number(fixed(number, precision));
  return Number(fixed(number * scale, 0)) / scale;
}

/** Rounds half to even at a power of ten, as Python does. */
function roundInteger(value: bigint, precision: number): bigint {
  if (precision >= 0) return value;
  const unit = 10n ** BigInt(-precision);
  const below = (value / unit) * unit - (value < 0n && value % unit !== 0n ? unit : 0n);
  const twice = 2n * (value - below);
  const up = twice > unit || (twice === unit && (below / unit) % 2n !== 0n);
  return up ? below + unit : below;
}

function parseInteger(input: Value, base: number): bigint | undefined {
  const integer = integerOf(input);
  if (integer !== undefined) return integer;
  if (typeof input === "number")
    return Number.isFinite(input) ? BigInt(Math.trunc(input)) : undefined;
  if (typeof input !== "string") return undefined;
  const text = input
    .trim()
    .replaceAll(/(?<=\w)_(?=\w)/g, "")
    .toLowerCase();
  const prefix = { 16: "0x", 8: "0o", 2: "0b" }[base];
  const sign = text.startsWith("-") ? -1n : 1n;
  let digits = text.replace(/^[+-]/, "");
  if (prefix && digits.startsWith(prefix)) digits = digits.slice(2);
  const valid = [...digits].every((digit) => parseInt(digit, 36) < base);
  if (digits !== "" && valid) {
    const value = [...digits].reduce((sum, digit) => {
      return sum * BigInt(base) + BigInt(parseInt(digit, 36));
    }, 0n);
    return sign * value;
  }
  // Jinja2 falls back to a float's whole part: "1.9" is 1.
  const number = parseFloatText(input);
  return number !== undefined && Number.isFinite(number) ? BigInt(Math.trunc(number)) : undefined;
}

function parseFloatText(input: Value): number | undefined {
  if (typeof input !== "string") return undefined;
  const text = input.trim().toLowerCase();
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/.test(text)) return Number(text);
  if (/^[+-]?(inf|infinity)$/.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
  return /^[+-]?nan$/.test(text) ? NaN : undefined;
}

function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    "'": "&#39;",
    '"': "&#34;",
  };
  return text.replaceAll(/[&<>'"]/g, (character) => entities[character] as string);
}

function encodeUrl(text: string, safe: string): string {
  const encoded = encodeURIComponent(text).replaceAll(/[!'()*]/g, (character) => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
  });
  return safe === "/" ? encoded.replaceAll("%2F", "/") : encoded;
}
