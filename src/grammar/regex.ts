import {
  EMPTY,
  type Expression,
  type Range,
  all,
  chars,
  choice,
  complement,
  only,
  repeat,
  sequence,
  text,
  union,
} from "./expression.ts";
import { GrammarError } from "./grammar-error.ts";

const DIGIT: readonly Range[] = [[0x30, 0x39]];
const WORD: readonly Range[] = [...DIGIT, [0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a]];
const SPACE: readonly Range[] = [
  [0x09, 0x0d],
  [0x20, 0x20],
];
/** What `\s` stands for beyond ASCII: it is kept from `\S`, and not written for `\s`. */
const WIDE_SPACE: readonly Range[] = [
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];
const LINE_END: readonly Range[] = [only("\n"), only("\r"), [0x2028, 0x2029]];

const CLASSES: Readonly<Record<string, readonly Range[]>> = {
  d: DIGIT,
  D: complement(DIGIT),
  w: WORD,
  W: complement(WORD),
  s: SPACE,
  S: complement([...SPACE, ...WIDE_SPACE]),
};

const CONTROLS: Readonly<Record<string, string>> = {
  t: "\t",
  n: "\n",
  r: "\r",
  f: "\f",
  v: "\v",
  0: "\0",
};

/** Any text. */
export const ANYTHING: Expression = repeat(chars([0, 0x10ffff]), 0);

/**
 * The texts that a regular expression matches: as a whole, or anywhere in them, as a JSON schema's
 * `pattern` does. It is read as JavaScript reads it with the flag `u`.
 *
 * @throws GrammarError for look-behind, look-ahead but at the beginning, back references, word boundaries, flags and Unicode
 * properties, and for what is no regular expression
 */
export function regexExpression(pattern: string, match: "whole" | "anywhere"): Expression {
  // JavaScript tells what is wrong with it. Python's names of groups are fine, and escapes of what
  // needs none.
  const known = pattern
    .replaceAll("(?P<", "(?<")
    .replace(/\\(.)/gsu, (escape, c: string) =>
      /[A-Za-z0-9$^.*+?()[\]{}|/\\]/.test(c) ? escape : hex(c),
    );
  try {
    new RegExp(known, "u");
  } catch (cause) {
    const reason = (cause as Error).message.split("/u: ").at(-1) as string;
    throw new GrammarError(`the expression ${pattern} is invalid: ${reason}`, { cause });
  }
  return new RegexParser(pattern, match === "whole" ? EMPTY : ANYTHING).parse();
}

function hex(character: string): string {
  return `\\u{${(character.codePointAt(0) as number).toString(16)}}`;
}

class RegexParser {
  readonly #pattern: string;
  /** Characters, not code units. */
  readonly #characters: readonly string[];
  /** What may come before and after a match. */
  readonly #around: Expression;
  #at = 0;

  constructor(pattern: string, around: Expression) {
    this.#pattern = pattern;
    this.#characters = [...pattern];
    this.#around = around;
  }

  parse(): Expression {
    const options = [this.#branch()];
    while (this.#take("|")) options.push(this.#branch());
    return choice(...options);
  }

  /** An alternative outside of groups: only there anchors and look-ahead have a meaning. */
  #branch(): Expression {
    const before = this.#takeAll("^") ? EMPTY : this.#around;
    const [ahead, notAhead]: [Expression[], Expression[]] = [[], []];
    for (let sign; before === EMPTY && (sign = this.#lookAheadSign());) {
      (sign === "=" ? ahead : notAhead).push(this.#lookAhead());
    }
    const matched = this.#sequence();
    const after = this.#takeAll("$") ? EMPTY : this.#around;
    if (!this.#ended() && this.#peek() !== "|") {
      throw this.#unsupported("'$' before its end");
    }
    return all([sequence(before, matched, after), ...ahead], notAhead);
  }

  /** The sign of the look-ahead that begins here. */
  #lookAheadSign(): string | undefined {
    const opening = this.#characters.slice(this.#at, this.#at + 3).join("");
    return opening === "(?=" || opening === "(?!" ? opening[2] : undefined;
  }

  /** The texts that a look-ahead finds what it looks for at the beginning of. */
  #lookAhead(): Expression {
    this.#at += 3;
    const options: Expression[] = [];
    do {
      const found = this.#sequence();
      options.push(sequence(found, this.#takeAll("$") ? EMPTY : ANYTHING));
    } while (this.#take("|"));
    if (!this.#take(")")) throw this.#unsupported("'$' before its end");
    return choice(...options);
  }

  #sequence(): Expression {
    const parts: Expression[] = [];
    while (!this.#ended() && !["|", ")", "$"].includes(this.#peek())) parts.push(this.#repeated());
    return sequence(...parts);
  }

  #repeated(): Expression {
    const part = this.#atom();
    const [min, max] = this.#quantifier() ?? [1, 1];
    return repeat(part, min, max);
  }

  #quantifier(): [number, number] | undefined {
    let counts: [number, number] | undefined;
    if (this.#take("*")) counts = [0, Infinity];
    else if (this.#take("+")) counts = [1, Infinity];
    else if (this.#take("?")) counts = [0, 1];
    else if (this.#take("{")) {
      const [min, max] = this.#upTo("}").split(",");
      counts = [Number(min), max === undefined ? Number(min) : max ? Number(max) : Infinity];
    }
    if (counts) this.#take("?"); // lazy: the same texts match
    return counts;
  }

  #atom(): Expression {
    const character = this.#next();
    switch (character) {
      case "(":
        return this.#group();
      case "[":
        return chars(...this.#class());
      case ".":
        return chars(...complement(LINE_END));
      case "^":
        throw this.#unsupported("'^' after its beginning");
      case "\\":
        return this.#escape();
      default:
        return text(character);
    }
  }

  #group(): Expression {
    if (this.#take("?")) {
      const named = this.#take("P") || this.#peek() === "<";
      if (named && this.#take("<")) {
        if (this.#peek() === "=" || this.#peek() === "!") throw this.#unsupported("look-behind");
        this.#upTo(">");
      } else if (!this.#take(":")) {
        const look = this.#peek() === "=" || this.#peek() === "!";
        throw this.#unsupported(look ? "look-ahead after its beginning" : "flags");
      }
    }
    const options = [this.#sequence()];
    while (this.#take("|")) options.push(this.#sequence());
    if (!this.#take(")")) throw this.#unsupported("'$' before its end");
    return choice(...options);
  }

  #escape(): Expression {
    const letter = this.#peek();
    const ranges = CLASSES[letter];
    if (ranges) {
      this.#next();
      return chars(...ranges);
    }
    return text(this.#escaped());
  }

  /** The character that what follows a backslash stands for. */
  #escaped(): string {
    const letter = this.#next();
    if (letter in CONTROLS) return CONTROLS[letter] as string;
    switch (letter) {
      case "x":
        return String.fromCharCode(parseInt(this.#next() + this.#next(), 16));
      case "u":
        return this.#unicode();
      case "c":
        return String.fromCharCode(this.#next().charCodeAt(0) % 32);
      case "b":
      case "B":
        throw this.#unsupported("word boundaries");
      case "p":
      case "P":
        throw this.#unsupported("Unicode properties");
    }
    if (/[1-9k]/.test(letter)) throw this.#unsupported("back references");
    return letter;
  }

  #unicode(): string {
    if (this.#take("{")) return String.fromCodePoint(parseInt(this.#upTo("}"), 16));
    const digits = () => Array.from({ length: 4 }, () => this.#next()).join("");
    const unit = parseInt(digits(), 16);
    const rest = this.#characters.slice(this.#at, this.#at + 6).join("");
    const low = /^\\u(d[c-f]..)/i.exec(rest)?.[1];
    if (unit < 0xd800 || unit > 0xdbff || !low) return String.fromCharCode(unit);
    this.#at += 6;
    return String.fromCharCode(unit, parseInt(low, 16));
  }

  /** What is between brackets. */
  #class(): readonly Range[] {
    const negative = this.#take("^");
    const ranges: Range[] = [];
    while (!this.#take("]")) {
      const first = this.#member();
      // A class such as \d is no border of a range; there the dash is one itself.
      if (this.#peek() !== "-" || this.#characters[this.#at + 1] === "]" || first.length > 1) {
        ranges.push(...first);
        continue;
      }
      this.#next();
      const last = this.#member();
      ranges.push([(first[0] as Range)[0], (last[0] as Range)[1]]);
    }
    return negative ? complement(ranges) : union(ranges);
  }

  #member(): readonly Range[] {
    const character = this.#next();
    if (character !== "\\") return [only(character)];
    const ranges = CLASSES[this.#peek()];
    if (ranges) {
      this.#next();
      return ranges;
    }
    if (this.#take("b")) return [only("\b")];
    return [only(this.#escaped())];
  }

  #ended(): boolean {
    return this.#at >= this.#characters.length;
  }

  #peek(): string {
    return this.#characters[this.#at] ?? "";
  }

  #next(): string {
    return this.#characters[this.#at++] ?? "";
  }

  #take(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#at++;
    return true;
  }

  #takeAll(character: string): boolean {
    let taken = false;
    while (this.#take(character)) taken = true;
    return taken;
  }

  #upTo(character: string): string {
    let passed = "";
    while (!this.#ended() && !this.#take(character)) passed += this.#next();
    return passed;
  }

  #unsupported(what: string): GrammarError {
    return new GrammarError(`the expression ${this.#pattern} has ${what}, which is not supported`);
  }
}
