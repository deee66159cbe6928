import {
  type Expression,
  type Range,
  type Rules,
  chars,
  choice,
  complement,
  only,
  repeat,
  rule,
  sequence,
  text,
} from "./expression.ts";
import { GrammarError } from "./grammar-error.ts";

/**
 * Parses a grammar in GBNF: `name ::= ...` with `|`, `( )`, `* + ? {n} {n,} {n,m}`, texts in double
 * quotes, `[classes]`, `.` for any character, and comments after `#`.
 *
 * @param rules receives the grammar's rules
 * @returns the rule `root`
 * @throws GrammarError with the line and column of the fault
 */
export function parseEbnf(grammar: string, rules: Rules): Expression {
  return new EbnfParser(grammar, rules).parse();
}

/** Groups within groups. */
const MOST_NESTING = 200;

const NAME = /\w[\w.-]*/y;
const BLANK = /(?:\s|#.*)*/y;
const DEFINES = /(?:\s|#.*)*::=/y;
const COUNTS = /\{\s*(\d+)?\s*(,)?\s*(\d+)?\s*\}/y;
const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  r: "\r",
  t: "\t",
  f: "\f",
  v: "\v",
  0: "\0",
};
const CODE = /x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})/y;

class EbnfParser {
  readonly #grammar: string;
  readonly #rules: Rules;
  /** Of each rule: its unique name, and the position of its first use. */
  readonly #names = new Map<string, { readonly inner: string; readonly at: number }>();
  readonly #defined = new Map<string, Expression>();
  #at = 0;
  /** How many groups are open. */
  #depth = 0;

  constructor(grammar: string, rules: Rules) {
    this.#grammar = grammar;
    this.#rules = rules;
  }

  parse(): Expression {
    this.#match(BLANK);
    while (this.#at < this.#grammar.length) {
      const at = this.#at;
      const name = this.#match(NAME)?.[0];
      if (name === undefined || !this.#match(DEFINES)) {
        this.#at = at;
        throw this.#error("expected a rule, such as 'root ::= \"text\"'");
      }
      if (this.#defined.has(name)) throw this.#error(`the rule '${name}' is defined twice`, at);
      this.#defined.set(name, this.#choice());
      if (this.#peek() === ")") throw this.#error("this ')' has no '('");
    }
    const root = this.#reference("root", this.#at);
    for (const name of this.#defined.keys()) this.#reference(name, 0);
    for (const [name, { inner, at }] of this.#names) {
      const body = this.#defined.get(name);
      if (!body) throw this.#error(`there is no rule '${name}'`, at);
      this.#rules.all.set(inner, body);
    }
    return root;
  }

  #choice(): Expression {
    const options = [this.#sequence()];
    while (this.#take("|")) options.push(this.#sequence());
    return choice(...options);
  }

  #sequence(): Expression {
    const parts: Expression[] = [];
    for (this.#match(BLANK); !this.#sequenceEnds(); this.#match(BLANK))
      parts.push(this.#repeated());
    return sequence(...parts);
  }

  #sequenceEnds(): boolean {
    if (this.#at >= this.#grammar.length || "|)".includes(this.#peek())) return true;
    const at = this.#at;
    const next = this.#match(NAME) && this.#match(DEFINES);
    this.#at = at;
    return next !== null;
  }

  #repeated(): Expression {
    let part = this.#atom();
    for (;;) {
      if (this.#take("*")) part = repeat(part, 0);
      else if (this.#take("+")) part = repeat(part, 1);
      else if (this.#take("?")) part = repeat(part, 0, 1);
      else if (this.#peek() === "{") part = this.#counted(part);
      else return part;
    }
  }

  #counted(part: Expression): Expression {
    const at = this.#at;
    const [all, least, comma, most] = this.#match(COUNTS) ?? [];
    if (all === undefined || (least ?? most) === undefined) {
      throw this.#error("expected {n}, {n,}, {,m} or {n,m}", at);
    }
    const min = Number(least ?? 0);
    const max = comma ? Number(most ?? Infinity) : min;
    if (min > max) throw this.#error("the numbers are out of order", at);
    return repeat(part, min, max);
  }

  #atom(): Expression {
    const at = this.#at;
    const name = this.#match(NAME)?.[0];
    if (name !== undefined) return this.#reference(name, at);
    if (this.#take('"')) return text(this.#quoted(at));
    if (this.#take("[")) return this.#class(at);
    if (this.#take(".")) return chars([0, 0x10ffff]);
    if (this.#take("(")) {
      if (++this.#depth > MOST_NESTING) throw this.#error("there are too many '(' in another", at);
      const inner = this.#choice();
      this.#depth--;
      if (!this.#take(")")) throw this.#error("this '(' has no ')'", at);
      return inner;
    }
    throw this.#error(`unexpected '${this.#character()}'`, at);
  }

  #reference(name: string, at: number): Expression {
    let known = this.#names.get(name);
    if (!known) {
      known = { inner: this.#rules.reserve(name), at };
      this.#names.set(name, known);
    }
    return rule(known.inner);
  }

  #quoted(at: number): string {
    let content = "";
    while (!this.#take('"')) content += this.#member("text", at);
    return content;
  }

  #class(at: number): Expression {
    const negative = this.#take("^");
    const ranges: Range[] = [];
    while (!this.#take("]")) {
      const first = only(this.#member("class", at));
      if (this.#peek() !== "-" || this.#grammar[this.#at + 1] === "]") {
        ranges.push(first);
        continue;
      }
      this.#at++;
      const last = only(this.#member("class", at));
      if (last[0] < first[0]) throw this.#error("a range is out of order", at);
      ranges.push([first[0], last[0]]);
    }
    return chars(...(negative ? complement(ranges) : ranges));
  }

  /** Reads one character of a text or a class. */
  #member(kind: string, at: number): string {
    const character = this.#character();
    if (character === "" || character === "\n") throw this.#error(`the ${kind} has no end`, at);
    this.#at += character.length;
    if (character !== "\\") return character;
    const code = this.#match(CODE);
    if (code) {
      const point = parseInt(code[1] ?? code[2] ?? (code[3] as string), 16);
      if (point > 0x10ffff) throw this.#error("the code point is above U+10FFFF", this.#at - 9);
      return String.fromCodePoint(point);
    }
    const letter = this.#character();
    const plain = ESCAPES[letter] ?? (/[\w\s]/.test(letter) ? "" : letter);
    if (plain === "") throw this.#error(`unknown escape '\\${letter}'`);
    this.#at += letter.length;
    return plain;
  }

  #character(): string {
    const code = this.#grammar.codePointAt(this.#at);
    return code === undefined ? "" : String.fromCodePoint(code);
  }

  #peek(): string {
    return this.#grammar[this.#at] ?? "";
  }

  #take(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#at++;
    return true;
  }

  #match(expression: RegExp): RegExpExecArray | null {
    expression.lastIndex = this.#at;
    const found = expression.exec(this.#grammar);
    if (found) this.#at = expression.lastIndex;
    return found;
  }

  #error(what: string, at = this.#at): GrammarError {
    const before = this.#grammar.slice(0, at).split("\n");
    const column = (before.at(-1) as string).length + 1;
    return new GrammarError(`line ${before.length}, column ${column}: ${what}`);
  }
}
