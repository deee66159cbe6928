import { bind, toInteger, toText } from "./arguments.ts";
import { formatBraces } from "./format.ts";
import { JinjaError } from "./jinja-error.ts";
import { isPrintable } from "./print.ts";
import { integerOf, iterate, type Named, Tuple, type Value } from "./value.ts";

type Method = (text: string, args: readonly Value[], named: Named) => Value;

/** Python's white space, which differs slightly from JavaScript's. */
const SPACE =
  "\\t\\n\\v\\f\\r\\x1c-\\x1f \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const LINE_ENDS = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/g;

/** The methods of Python's `str`. */
export const STRING_METHODS: Readonly<Record<string, Method>> = {
  capitalize: (text) => capitalize(text),
  casefold: (text) => text.toLowerCase().replaceAll("ß", "ss"),
  center: pad("center"),
  count: (text, args) => {
    const [part = "", start, end] = bind("count", ["sub", "start", "end"], args);
    const inner = within(text, start, end);
    const wanted = toText("count", part);
    return BigInt(wanted === "" ? [...inner].length + 1 : inner.split(wanted).length - 1);
  },
  endswith: (text, args) => hasAffix("endswith", text, args),
  expandtabs: (text, args, named) => {
    const [size = 8n] = bind("expandtabs", ["tabsize"], args, named);
    return expandTabs(text, toInteger("expandtabs", size));
  },
  find: (text, args) => BigInt(search("find", text, args)),
  format: (text, args, named) => formatBraces(text, args, named),
  index: (text, args) => BigInt(found(search("index", text, args))),
  isalnum: (text) => every(text, /^[\p{L}\p{N}]$/u),
  isalpha: (text) => every(text, /^\p{L}$/u),
  isascii: (text) => [...text].every((character) => character <= "\x7f"),
  isdecimal: (text) => every(text, /^\p{Nd}$/u),
  isdigit: (text) => every(text, /^[\p{Nd}\u00b2\u00b3\u00b9\u2070\u2074-\u2079\u2080-\u2089]$/u),
  isidentifier: (text) => /^[\p{L}\p{Nl}_][\p{L}\p{Nl}\p{Mn}\p{Mc}\p{Nd}\p{Pc}]*$/u.test(text),
  islower: (text) => text === text.toLowerCase() && text !== text.toUpperCase(),
  isnumeric: (text) => every(text, /^\p{N}$/u),
  isprintable: (text) => [...text].every(isPrintable),
  isspace: (text) => every(text, new RegExp(`^[${SPACE}]$`, "u")),
  istitle: (text) => text === title(text) && /\p{L}/u.test(text),
  isupper: (text) => text === text.toUpperCase() && text !== text.toLowerCase(),
  join: (text, args) => {
    const [items = null] = bind("join", ["iterable"], args, undefined, 1);
    return iterate(items)
      .map((item) => toText("join", item))
      .join(text);
  },
  ljust: pad("ljust"),
  lower: (text) => text.toLowerCase(),
  lstrip: strip("lstrip", true, false),
  partition: (text, args) => partition("partition", text, args),
  removeprefix: (text, args) => {
    const prefix = toText("removeprefix", args[0] ?? null);
    return text.startsWith(prefix) ? text.slice(prefix.length) : text;
  },
  removesuffix: (text, args) => {
    const suffix = toText("removesuffix", args[0] ?? null);
    const ends = suffix !== "" && text.endsWith(suffix);
    return ends ? text.slice(0, -suffix.length) : text;
  },
  replace: (text, args, named) => {
    const [from = "", to = "", count = -1n] = bind(
      "replace",
      ["old", "new", "count"],
      args,
      named,
      2,
    );
    return replace(
      text,
      toText("replace", from),
      toText("replace", to),
      toInteger("replace", count),
    );
  },
  rfind: (text, args) => BigInt(search("rfind", text, args)),
  rindex: (text, args) => BigInt(found(search("rindex", text, args))),
  rjust: pad("rjust"),
  rpartition: (text, args) => partition("rpartition", text, args),
  rsplit: split("rsplit"),
  rstrip: strip("rstrip", false, true),
  split: split("split"),
  splitlines: (text, args, named) => {
    const [keep = false] = bind("splitlines", ["keepends"], args, named);
    return splitLines(text, keep !== false && keep !== 0n);
  },
  startswith: (text, args) => hasAffix("startswith", text, args),
  strip: strip("strip", true, true),
  swapcase: (text) =>
    [...text].map((c) => (c === c.toUpperCase() ? c.toLowerCase() : c.toUpperCase())).join(""),
  title: (text) => title(text),
  upper: (text) => text.toUpperCase(),
  zfill: (text, args) => {
    const width = toInteger("zfill", args[0] ?? null);
    const sign = /^[+-]/.exec(text)?.[0] ?? "";
    return sign + text.slice(sign.length).padStart(width - sign.length, "0");
  },
};

export function capitalize(text: string): string {
  const [first = "", ...rest] = text;
  return first.toUpperCase() + rest.join("").toLowerCase();
}

/** Python's `str.title`: a capital after everything that is not a letter. */
function title(text: string): string {
  return text.replaceAll(/\p{L}+/gu, (word) => capitalize(word));
}

/** @param count the largest number of replacements, or below 0 for all */
export function replace(text: string, from: string, to: string, count: number): string {
  if (count < 0) return text.replaceAll(from, () => to);
  const parts = from === "" ? ["", ...text, ""] : text.split(from);
  const limit = Math.min(count, parts.length - 1);
  return (
    parts.slice(0, limit + 1).join(to) +
    parts
      .slice(limit + 1)
      .map((p) => from + p)
      .join("")
  );
}

/** Strips characters, or white space for undefined. */
export function stripped(
  text: string,
  characters: string | undefined,
  left: boolean,
  right: boolean,
): string {
  const inSet =
    characters === undefined
      ? (c: string) => new RegExp(`[${SPACE}]`, "u").test(c)
      : (c: string) => characters.includes(c);
  const all = [...text];
  let [from, to] = [0, all.length];
  while (left && from < to && inSet(all[from] as string)) from++;
  while (right && to > from && inSet(all[to - 1] as string)) to--;
  return all.slice(from, to).join("");
}

function strip(name: string, left: boolean, right: boolean): Method {
  return (text, args) => {
    const [characters = null] = bind(name, ["chars"], args);
    return stripped(text, characters === null ? undefined : toText(name, characters), left, right);
  };
}

function split(name: "split" | "rsplit"): Method {
  return (text, args, named) => {
    const [separator = null, limit = -1n] = bind(name, ["sep", "maxsplit"], args, named);
    const most = toInteger(name, limit);
    const parts = separator === null ? words(text) : cut(text, toText(name, separator));
    if (most < 0 || parts.length <= most + 1) return parts.map(({ text }) => text);
    // What is beyond the limit stays as it stands in the text.
    if (name === "split") {
      const rest = text.slice((parts[most] as Part).at);
      return [...parts.slice(0, most).map(({ text }) => text), rest];
    }
    const first = parts[parts.length - 1 - most] as Part;
    const head = text.slice(0, first.at + first.text.length);
    return [head, ...parts.slice(parts.length - most).map(({ text }) => text)];
  };
}

interface Part {
  readonly text: string;
  readonly at: number;
}

function words(text: string): Part[] {
  const pattern = new RegExp(`[^${SPACE}]+`, "gu");
  return [...text.matchAll(pattern)].map((match) => ({ text: match[0], at: match.index }));
}

function cut(text: string, separator: string): Part[] {
  if (separator === "") throw new JinjaError("empty separator");
  let at = 0;
  return text.split(separator).map((part) => {
    const found = { text: part, at };
    at += part.length + separator.length;
    return found;
  });
}

function splitLines(text: string, keepEnds: boolean): string[] {
  const lines: string[] = [];
  let from = 0;
  for (const { 0: end, index } of text.matchAll(LINE_ENDS)) {
    lines.push(text.slice(from, keepEnds ? index + end.length : index));
    from = index + end.length;
  }
  return from < text.length ? [...lines, text.slice(from)] : lines;
}

function partition(name: "partition" | "rpartition", text: string, args: readonly Value[]): Tuple {
  const separator = toText(name, args[0] ?? null);
  const last = name === "rpartition";
  const at = last ? text.lastIndexOf(separator) : text.indexOf(separator);
  if (at < 0) return new Tuple(last ? ["", "", text] : [text, "", ""]);
  return new Tuple([text.slice(0, at), separator, text.slice(at + separator.length)]);
}

function pad(name: "center" | "ljust" | "rjust"): Method {
  return (text, args) => {
    const [width = 0n, fill = " "] = bind(name, ["width", "fillchar"], args, undefined, 1);
    const missing = Math.max(0, toInteger(name, width) - [...text].length);
    const all = toText(name, fill).repeat(missing);
    if (name === "ljust") return text + all;
    if (name === "rjust") return all + text;
    // CPython puts the odd character left where the width is odd.
    const left = Math.floor(missing / 2) + (missing & toInteger(name, width) & 1);
    return all.slice(0, left) + text + all.slice(left);
  };
}

function hasAffix(name: "startswith" | "endswith", text: string, args: readonly Value[]): boolean {
  const [affix = null, start, end] = bind(name, ["affix", "start", "end"], args, undefined, 1);
  const inner = within(text, start, end);
  const options = affix instanceof Tuple ? affix.items : [affix];
  return options.some((option) => {
    const wanted = toText(name, option);
    return name === "startswith" ? inner.startsWith(wanted) : inner.endsWith(wanted);
  });
}

/** @returns the part of a text from `start` to `end`, both as in a Python slice */
function within(text: string, start: Value | undefined, end: Value | undefined): string {
  const bound = (value: Value | undefined) => {
    return value === undefined || value === null ? undefined : Number(integerOf(value) ?? 0n);
  };
  return [...text].slice(bound(start) ?? 0, bound(end)).join("");
}

/** @returns the index in code points, or -1 */
function search(
  name: "find" | "rfind" | "index" | "rindex",
  text: string,
  args: readonly Value[],
): number {
  const [part = null, start, end] = bind(name, ["sub", "start", "end"], args, undefined, 1);
  const inner = within(text, start, end);
  const last = name.startsWith("r");
  const wanted = toText(name, part);
  const at = last ? inner.lastIndexOf(wanted) : inner.indexOf(wanted);
  if (at < 0) return -1;
  const length = [...text].length;
  const from = Number(integerOf(start ?? null) ?? 0n);
  const offset = from < 0 ? Math.max(0, length + from) : from;
  return offset + [...inner.slice(0, at)].length;
}

function found(index: number): number {
  if (index < 0) throw new JinjaError("substring not found");
  return index;
}

function every(text: string, pattern: RegExp): boolean {
  return text !== "" && [...text].every((character) => pattern.test(character));
}

function expandTabs(text: string, size: number): string {
  let column = 0;
  let expanded = "";
  for (const character of text) {
    if (character === "\t") {
      const width = size > 0 ? size - (column % size) : 0;
      expanded += " ".repeat(width);
      column += width;
    } else {
      expanded += character;
      column = /[\n\r]/.test(character) ? 0 : column + 1;
    }
  }
  return expanded;
}
