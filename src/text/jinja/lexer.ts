import { JinjaError } from "./jinja-error.ts";

/** A token of a template. Everything outside of tags is text. */
export interface Token {
  readonly type:
    "text" | "open" | "close" | "name" | "string" | "int" | "float" | "operator" | "end";
  /** An operator, a name, a number's digits, a string's value, or a tag's delimiter. */
  readonly value: string;
  readonly line: number;
}

const OPEN = /\{[{%#]/g;
const RAW = /\{%[-+]?\s*raw\s*(-?)%\}/y;
const RAW_END = /\{%([-+]?)\s*endraw\s*([-+]?)%\}/g;
const SPACE = /\s+/y;
const NAME = /[\p{L}\p{Nl}_][\p{L}\p{Nl}\p{Mn}\p{Mc}\p{Nd}\p{Pc}]*/uy;
const FLOAT = /(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?[eE][+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/y;
const INT = /0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0[xX](?:_?[\da-fA-F])+|[1-9](?:_?\d)*|0(?:_?0)*/y;
const STRING = /'((?:[^'\\]|\\[^])*)'|"((?:[^"\\]|\\[^])*)"/y;
const OPERATOR = /\/\/|\*\*|==|!=|>=|<=|[-+/*%~[\](){}<>=.:|,;]/y;

/**
 * Splits a template into tokens as Jinja2 does with `trim_blocks` and `lstrip_blocks`, the settings of
 * transformers: the newline after a block tag and the spaces before it on its line are dropped.
 *
 * @throws JinjaError for a tag without an end, an invalid string or an unexpected character
 */
export function tokenize(template: string): Token[] {
  return new Lexer(template.replaceAll(/\r\n|\r/g, "\n").replace(/\n$/, "")).run();
}

class Lexer {
  readonly #source: string;
  readonly #tokens: Token[] = [];
  #at = 0;
  #line = 1;
  /** Whether the text from `#at` on starts a line. */
  #lineStarts = true;

  constructor(source: string) {
    this.#source = source;
  }

  run(): Token[] {
    while (this.#at < this.#source.length) {
      OPEN.lastIndex = this.#at;
      const found = OPEN.exec(this.#source);
      if (!found) {
        this.#text(this.#source.slice(this.#at));
        break;
      }
      this.#tag(found[0], found.index);
    }
    this.#add("end", "");
    return this.#tokens;
  }

  /** Reads the text before a tag, and the tag. */
  #tag(open: string, start: number): void {
    const sign = this.#source[start + 2] ?? "";
    const before = this.#source.slice(this.#at, start);
    this.#text(before, this.#stripped(before, sign, open !== "{{"));
    if (open === "{%" && this.#raw()) return;
    const close = open === "{{" ? "}}" : open === "{%" ? "%}" : "#}";
    this.#at += open.length + (sign === "-" || (sign === "+" && open !== "{{") ? 1 : 0);
    if (open === "{#") return this.#comment(close);
    this.#add("open", open);
    for (;;) {
      this.#skip(SPACE);
      if (this.#at >= this.#source.length) {
        throw new JinjaError(`unexpected end of template, expected '${close}'`, this.#line);
      }
      if (this.#closes(close)) return;
      this.#expressionToken();
    }
  }

  /** Drops white space before a tag, as its sign or `lstrip_blocks` asks for. */
  #stripped(text: string, sign: string, isBlock: boolean): string {
    if (sign === "-") return text.trimEnd();
    if (sign === "+" || !isBlock) return text;
    const lineStart = text.lastIndexOf("\n") + 1;
    const startsLine = lineStart > 0 || this.#lineStarts;
    return startsLine && /^\s*$/.test(text.slice(lineStart)) ? text.slice(0, lineStart) : text;
  }

  /** @param kept the part of `text` that is output */
  #text(text: string, kept = text): void {
    if (kept !== "") this.#add("text", kept);
    this.#advance(text);
  }

  /** Reads a raw block where one starts. */
  #raw(): boolean {
    RAW.lastIndex = this.#at;
    const opened = RAW.exec(this.#source);
    if (!opened) return false;
    const line = this.#line;
    this.#advance(opened[0]);
    if (opened[1] === "-") this.#skip(SPACE);
    RAW_END.lastIndex = this.#at;
    const closed = RAW_END.exec(this.#source);
    if (!closed) throw new JinjaError("'raw' has no 'endraw'", line);
    const text = this.#source.slice(this.#at, closed.index);
    this.#text(text, this.#stripped(text, closed[1] as string, true));
    this.#advance(closed[0]);
    this.#trimAfterBlock(closed[2] as string);
    return true;
  }

  #comment(close: string): void {
    const end = this.#source.indexOf(close, this.#at);
    if (end < 0) throw new JinjaError("a comment has no end", this.#line);
    const sign = this.#source[end - 1] as string;
    this.#advance(this.#source.slice(this.#at, end + close.length));
    this.#trimAfterBlock(sign === "-" || sign === "+" ? sign : "");
  }

  /** Reads the end of a tag where it is. */
  #closes(close: string): boolean {
    const sign = this.#source[this.#at] as string;
    const signed = (sign === "-" || (sign === "+" && close === "%}")) && this.#has(close, 1);
    if (!signed && !this.#has(close, 0)) return false;
    // A closing brace of a dict may come right before the end of a variable tag: {{ {"a": 1}}}.
    if (close === "}}" && !signed && this.#openBraces() > 0) return false;
    this.#add("close", close);
    this.#advance(this.#source.slice(this.#at, this.#at + close.length + (signed ? 1 : 0)));
    if (close === "%}") this.#trimAfterBlock(signed ? sign : "");
    else if (signed) this.#skip(SPACE);
    return true;
  }

  /** @returns the braces that are open in the current tag */
  #openBraces(): number {
    let open = 0;
    for (let i = this.#tokens.length - 1; this.#tokens[i]?.type !== "open"; i--) {
      const { type, value } = this.#tokens[i] as Token;
      if (type === "operator" && value === "{") open++;
      if (type === "operator" && value === "}") open--;
    }
    return open;
  }

  /** Drops white space after a block tag: all for "-", none for "+", else one newline. */
  #trimAfterBlock(sign: string): void {
    if (sign === "-") this.#skip(SPACE);
    else if (sign !== "+" && this.#has("\n", 0)) this.#advance("\n");
  }

  #expressionToken(): void {
    const { value: text = "", type } = this.#match() ?? {};
    if (!type) {
      const character = String.fromCodePoint(this.#source.codePointAt(this.#at) as number);
      throw new JinjaError(`unexpected character '${character}'`, this.#line);
    }
    const value = type === "string" ? unescape(text.slice(1, -1), this.#line) : text;
    this.#add(type, value);
    this.#advance(text);
  }

  #match(): Pick<Token, "type" | "value"> | undefined {
    for (const [type, pattern] of [
      ["name", NAME],
      ["float", FLOAT],
      ["int", INT],
      ["string", STRING],
      ["operator", OPERATOR],
    ] as const) {
      pattern.lastIndex = this.#at;
      const value = pattern.exec(this.#source)?.[0];
      // `a.0.1` is two subscripts, not a float.
      if (type === "float" && this.#source[this.#at - 1] === ".") continue;
      if (value !== undefined) return { type, value };
    }
    return undefined;
  }

  #has(text: string, offset: number): boolean {
    return this.#source.startsWith(text, this.#at + offset);
  }

  #skip(pattern: RegExp): void {
    pattern.lastIndex = this.#at;
    this.#advance(pattern.exec(this.#source)?.[0] ?? "");
  }

  #advance(text: string): void {
    if (text === "") return;
    this.#at += text.length;
    this.#line += text.split("\n").length - 1;
    this.#lineStarts = text.endsWith("\n");
  }

  #add(type: Token["type"], value: string): void {
    this.#tokens.push({ type, value, line: this.#line });
  }
}

const ESCAPES: Readonly<Record<string, string>> = {
  "\n": "",
  "\\": "\\",
  "'": "'",
  '"': '"',
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

/** Decodes the escapes of a Python string. Unknown escapes keep their backslash. */
function unescape(text: string, line: number): string {
  const pattern = /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{1,3})|([^]))/gu;
  return text.replaceAll(
    pattern,
    (escape, x?: string, u?: string, wide?: string, octal?: string, plain?: string) => {
      const hex = x ?? u ?? wide;
      if (hex !== undefined) return String.fromCodePoint(parseInt(hex, 16));
      if (octal !== undefined) return String.fromCharCode(parseInt(octal, 8));
      if (plain === "x" || plain === "u" || plain === "U" || plain === "N") {
        throw new JinjaError(`invalid escape '${escape}' in a string`, line);
      }
      return ESCAPES[plain as string] ?? escape;
    },
  );
}
