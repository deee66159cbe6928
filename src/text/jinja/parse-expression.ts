import type { Arguments, ArithmeticOperator, CompareOperator, JinjaExpression } from "./ast.ts";
import { JinjaError } from "./jinja-error.ts";
import type { Token } from "./lexer.ts";

const COMPARE: readonly string[] = ["==", "!=", "<", "<=", ">", ">="];
const CONSTANTS: Readonly<Record<string, boolean | null>> = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
};
/** Names that end a test without an argument, as in `x is none and y`. */
const AFTER_TEST = ["else", "or", "and", "is", "if", "in", "not", "recursive"];

/** Deeper nesting is refused, because it would overflow the stack. */
const MAX_DEPTH = 200;

/** Parses expressions from a list of tokens. Precedence is Jinja2's. */
export class ExpressionParser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get token(): Token {
    return this.#tokens[this.#at] as Token;
  }

  /** @returns the value of the name after the current token */
  peekName(): string | undefined {
    const following = this.#tokens[this.#at + 1];
    return following?.type === "name" ? following.value : undefined;
  }

  next(): Token {
    return this.#tokens[this.#at++] as Token;
  }

  /** @returns whether the current token is an operator or a name with this value */
  is(value: string): boolean {
    const { type, value: found } = this.token;
    return found === value && (type === "operator" || type === "name");
  }

  take(value: string): boolean {
    if (!this.is(value)) return false;
    this.#at++;
    return true;
  }

  expect(value: string): void {
    if (!this.take(value)) throw this.unexpected(`'${value}'`);
  }

  name(): string {
    if (this.token.type !== "name") throw this.unexpected("a name");
    return this.next().value;
  }

  unexpected(expected: string): JinjaError {
    const { type, value, line } = this.token;
    const found = type === "end" ? "the end of the template" : `'${value}'`;
    return new JinjaError(`expected ${expected}, found ${found}`, line);
  }

  /** Parses an expression, `a if b else c` included. */
  expression(): JinjaExpression {
    this.#deeper(this.token.line);
    let then = this.#or();
    while (this.is("if")) {
      const { line } = this.next();
      const test = this.#or();
      const otherwise = this.take("else") ? this.expression() : undefined;
      then = { kind: "conditional", line, test, then, otherwise };
    }
    this.#depth--;
    return then;
  }

  /** Parses an expression or, where a comma follows, a tuple without parentheses. */
  tuple({ conditional = true }: { conditional?: boolean } = {}): JinjaExpression {
    const { line } = this.token;
    const parse = () => (conditional ? this.expression() : this.#or());
    const first = parse();
    if (!this.is(",")) return first;
    const items = [first];
    while (this.take(",")) {
      if (this.#endsTuple()) break;
      items.push(parse());
    }
    return { kind: "tuple", line, items };
  }

  #deeper(line: number): void {
    if (++this.#depth <= MAX_DEPTH) return;
    throw new JinjaError(`an expression is nested deeper than ${MAX_DEPTH}`, line);
  }

  #endsTuple(): boolean {
    return this.token.type === "close" || this.is(")") || this.is("recursive");
  }

  #or(): JinjaExpression {
    return this.#logic("or", () => this.#logic("and", () => this.#not()));
  }

  #logic(operator: "and" | "or", operand: () => JinjaExpression): JinjaExpression {
    let left = operand();
    while (this.is(operator)) {
      const { line } = this.next();
      left = { kind: "logic", line, operator, left, right: operand() };
    }
    return left;
  }

  #not(): JinjaExpression {
    const { line } = this.token;
    if (!this.take("not")) return this.#compare();
    this.#deeper(line);
    const operand = this.#not();
    this.#depth--;
    return { kind: "not", line, operand };
  }

  #compare(): JinjaExpression {
    const { line } = this.token;
    const first = this.#sum();
    const rest: [CompareOperator, JinjaExpression][] = [];
    for (let operator; (operator = this.#compareOperator());) rest.push([operator, this.#sum()]);
    return rest.length === 0 ? first : { kind: "compare", line, first, rest };
  }

  #compareOperator(): CompareOperator | undefined {
    const { type, value } = this.token;
    if (type === "operator" && COMPARE.includes(value)) {
      return this.next().value as CompareOperator;
    }
    if (this.take("in")) return "in";
    const following = this.#tokens[this.#at + 1];
    if (!this.is("not") || following?.type !== "name" || following.value !== "in") return undefined;
    this.#at += 2;
    return "not in";
  }

  #sum(): JinjaExpression {
    return this.#arithmetic(["+", "-"], () => this.#concat());
  }

  #concat(): JinjaExpression {
    const { line } = this.token;
    const parts = [this.#product()];
    while (this.take("~")) parts.push(this.#product());
    return parts.length === 1 ? (parts[0] as JinjaExpression) : { kind: "concat", line, parts };
  }

  #product(): JinjaExpression {
    return this.#arithmetic(["*", "/", "//", "%"], () =>
      this.#arithmetic(["**"], () => this.#unary()),
    );
  }

  #arithmetic(operators: readonly string[], operand: () => JinjaExpression): JinjaExpression {
    let left = operand();
    while (this.token.type === "operator" && operators.includes(this.token.value)) {
      const { line, value } = this.next();
      const operator = value as ArithmeticOperator;
      left = { kind: "arithmetic", line, operator, left, right: operand() };
    }
    return left;
  }

  /** Filters bind to a signed number as a whole: `-1 | abs` is 1. */
  #unary({ filters = true }: { filters?: boolean } = {}): JinjaExpression {
    const { line, value } = this.token;
    let node: JinjaExpression;
    if (this.is("-") || this.is("+")) {
      this.#deeper(line);
      this.next();
      const operand = this.#unary({ filters: false });
      node = { kind: "sign", line, sign: value as "+" | "-", operand };
      this.#depth--;
    } else {
      node = this.#primary();
    }
    node = this.#postfix(node);
    return filters ? this.#filters(node) : node;
  }

  #primary(): JinjaExpression {
    const { type, value, line } = this.token;
    switch (type) {
      case "name":
        this.next();
        return Object.hasOwn(CONSTANTS, value)
          ? { kind: "constant", line, value: CONSTANTS[value] as boolean | null }
          : { kind: "name", line, name: value };
      case "string": {
        let text = "";
        while (this.token.type === "string") text += this.next().value;
        return { kind: "constant", line, value: text };
      }
      case "int":
        this.next();
        return { kind: "constant", line, value: BigInt(value.replaceAll("_", "")) };
      case "float":
        this.next();
        return { kind: "constant", line, value: Number(value.replaceAll("_", "")) };
      case "operator":
        if (this.take("(")) return this.#parenthesized(line);
        if (this.take("[")) return { kind: "list", line, items: this.#items("]") };
        if (this.take("{")) return { kind: "dict", line, entries: this.#entries() };
    }
    throw this.unexpected("an expression");
  }

  #parenthesized(line: number): JinjaExpression {
    if (this.take(")")) return { kind: "tuple", line, items: [] };
    const inner = this.tuple();
    this.expect(")");
    return inner;
  }

  #items(close: string): JinjaExpression[] {
    const items: JinjaExpression[] = [];
    while (!this.take(close)) {
      if (items.length > 0) this.expect(",");
      if (this.take(close)) break;
      items.push(this.expression());
    }
    return items;
  }

  #entries(): [JinjaExpression, JinjaExpression][] {
    const entries: [JinjaExpression, JinjaExpression][] = [];
    while (!this.take("}")) {
      if (entries.length > 0) this.expect(",");
      if (this.take("}")) break;
      const key = this.expression();
      this.expect(":");
      entries.push([key, this.expression()]);
    }
    return entries;
  }

  #postfix(node: JinjaExpression): JinjaExpression {
    for (;;) {
      const { line } = this.token;
      if (this.take(".")) node = this.#attribute(node, line);
      else if (this.take("[")) node = { kind: "item", line, object: node, key: this.#subscript() };
      else if (this.is("(")) node = { kind: "call", line, callee: node, args: this.arguments() };
      else return node;
    }
  }

  #attribute(object: JinjaExpression, line: number): JinjaExpression {
    const { type, value } = this.token;
    if (type === "int") {
      this.next();
      return { kind: "item", line, object, key: { kind: "constant", line, value: BigInt(value) } };
    }
    return { kind: "attribute", line, object, name: this.name() };
  }

  #subscript(): JinjaExpression {
    const { line } = this.token;
    const keys: JinjaExpression[] = [];
    do {
      if (keys.length > 0 && this.is("]")) break;
      keys.push(this.#sliceOrKey());
    } while (this.take(","));
    this.expect("]");
    return keys.length === 1 ? (keys[0] as JinjaExpression) : { kind: "tuple", line, items: keys };
  }

  #sliceOrKey(): JinjaExpression {
    const { line } = this.token;
    const bound = () =>
      this.is(":") || this.is("]") || this.is(",") ? undefined : this.expression();
    const start = bound();
    if (!this.take(":")) {
      if (start) return start;
      throw this.unexpected("an expression");
    }
    const stop = bound();
    const step = this.take(":") ? bound() : undefined;
    return { kind: "slice", line, start, stop, step };
  }

  /** Parses the arguments of a call, from its opening parenthesis on. */
  arguments(): Arguments {
    this.expect("(");
    const positional: JinjaExpression[] = [];
    const named: [string, JinjaExpression][] = [];
    let spread: JinjaExpression | undefined;
    let spreadNamed: JinjaExpression | undefined;
    for (let count = 0; !this.take(")"); count++) {
      if (count > 0) this.expect(",");
      if (this.take(")")) break;
      if (this.take("*")) spread = this.expression();
      else if (this.take("**")) spreadNamed = this.expression();
      else if (this.token.type === "name" && this.#tokens[this.#at + 1]?.value === "=") {
        const name = this.name();
        this.next();
        named.push([name, this.expression()]);
      } else if (named.length > 0) throw this.unexpected("a named argument");
      else positional.push(this.expression());
    }
    return { positional, named, spread, spreadNamed };
  }

  #filters(node: JinjaExpression): JinjaExpression {
    for (;;) {
      const { line } = this.token;
      if (this.is("|")) node = this.filterChain(node);
      else if (this.take("is")) node = this.#test(node, line);
      else if (this.is("(")) node = { kind: "call", line, callee: node, args: this.arguments() };
      else return node;
    }
  }

  /**
   * Parses filters, each with its `|`.
   *
   * @param input undefined where a block's body is the input; its first filter has no `|`
   */
  filterChain(input: JinjaExpression | undefined): JinjaExpression {
    let node = input;
    while (node === undefined || this.is("|")) {
      if (node !== undefined) this.next();
      const { line } = this.token;
      const name = this.#dottedName();
      const args = this.is("(") ? this.arguments() : { positional: [], named: [] };
      node = { kind: "filter", line, input: node, name, args };
    }
    return node;
  }

  #test(input: JinjaExpression, line: number): JinjaExpression {
    const negated = this.take("not");
    const name = this.#dottedName();
    let args: Arguments = { positional: [], named: [] };
    const { type, value } = this.token;
    if (this.is("(")) args = this.arguments();
    else if (
      ["string", "int", "float"].includes(type) ||
      (type === "name" && !AFTER_TEST.includes(value)) ||
      this.is("[") ||
      this.is("{")
    ) {
      args = { positional: [this.#postfix(this.#primary())], named: [] };
    }
    const test: JinjaExpression = { kind: "test", line, input, name, args };
    return negated ? { kind: "not", line, operand: test } : test;
  }

  #dottedName(): string {
    let name = this.name();
    while (this.take(".")) name += `.${this.name()}`;
    return name;
  }
}
