import type { JinjaExpression, Parameter, JinjaStatement, Target } from "./ast.ts";
import { JinjaError } from "./jinja-error.ts";
import { tokenize } from "./lexer.ts";
import { ExpressionParser } from "./parse-expression.ts";

/** Deeper nesting is refused, because it would overflow the stack. */
const MAX_DEPTH = 200;

/** Tags that need other templates, which a checkpoint does not have. */
const OTHER_TEMPLATES = ["extends", "include", "import", "from"];

/**
 * Parses a chat template: Jinja2 with the loop controls and the `generation` block of transformers.
 *
 * @throws JinjaError with the line for invalid syntax and for unsupported tags
 */
export function parseTemplate(template: string): JinjaStatement[] {
  return new TemplateParser(template).body([]);
}

class TemplateParser {
  readonly #p: ExpressionParser;
  #depth = 0;

  constructor(template: string) {
    this.#p = new ExpressionParser(tokenize(template));
  }

  /** Parses statements up to one of some tags, whose `{%` is not consumed. */
  body(ends: readonly string[]): JinjaStatement[] {
    this.#deeper();
    const statements = this.#statements(ends);
    this.#depth--;
    return statements;
  }

  #deeper(): void {
    if (++this.#depth <= MAX_DEPTH) return;
    throw new JinjaError(`tags are nested deeper than ${MAX_DEPTH}`, this.#p.token.line);
  }

  #statements(ends: readonly string[]): JinjaStatement[] {
    const statements: JinjaStatement[] = [];
    for (;;) {
      const { type, value, line } = this.#p.token;
      if (type === "end") return statements;
      if (type === "text") {
        this.#p.next();
        statements.push({ kind: "text", line, text: value });
      } else if (value === "{{") {
        this.#p.next();
        statements.push({ kind: "output", line, expression: this.#p.tuple() });
        this.#close();
      } else {
        const statement = this.#tag(ends, line);
        if (!statement) return statements;
        statements.push(statement);
      }
    }
  }

  /** @returns undefined at a tag that ends the body */
  #tag(ends: readonly string[], line: number): JinjaStatement | undefined {
    if (ends.some((end) => this.#peekTag(end))) return undefined;
    this.#p.next();
    const name = this.#p.name();
    switch (name) {
      case "if":
        return this.#if(line);
      case "for":
        return this.#for(line);
      case "set":
        return this.#set(line);
      case "macro":
        return this.#macro(line);
      case "call":
        return this.#call(line);
      case "filter": {
        const filter = this.#p.filterChain(undefined);
        return { kind: "filterBlock", line, filter, body: this.#block("filter", line) };
      }
      case "with":
        return this.#with(line);
      case "block":
        this.#p.name();
        return { kind: "scope", line, body: this.#block("block", line, { named: true }) };
      case "generation":
        return { kind: "scope", line, body: this.#block("generation", line) };
      case "break":
      case "continue":
        this.#close();
        return { kind: name, line };
    }
    const reason = OTHER_TEMPLATES.includes(name)
      ? `'${name}' needs other templates, which chat templates don't have`
      : `unknown tag '${name}'`;
    throw new JinjaError(reason, line);
  }

  #peekTag(name: string): boolean {
    return this.#p.token.value === "{%" && this.#p.peekName() === name;
  }

  #close(): void {
    if (this.#p.token.type !== "close") throw this.#p.unexpected("the end of the tag");
    this.#p.next();
  }

  /** Parses the end of the opening tag, the body, and the tag `end<name>`. */
  #block(name: string, line: number, { named = false } = {}): JinjaStatement[] {
    this.#close();
    const body = this.body([`end${name}`]);
    this.#end(name, line, { named });
    return body;
  }

  #end(name: string, line: number, { named = false } = {}): void {
    if (!this.#peekTag(`end${name}`)) throw new JinjaError(`'${name}' has no 'end${name}'`, line);
    this.#p.next();
    this.#p.next();
    if (named && this.#p.token.type === "name") this.#p.next();
    this.#close();
  }

  #if(line: number): JinjaStatement {
    const test = this.#p.tuple({ conditional: false });
    this.#close();
    const body = this.body(["elif", "else", "endif"]);
    let otherwise: JinjaStatement[] = [];
    const branch = this.#p.token.line;
    if (this.#peekTag("elif")) {
      this.#p.next();
      this.#p.next();
      // The nested statement consumes the `endif` of this one.
      this.#deeper();
      otherwise = [this.#if(branch)];
      this.#depth--;
      return { kind: "if", line, test, body, otherwise };
    }
    if (this.#peekTag("else")) {
      this.#p.next();
      this.#p.next();
      this.#close();
      otherwise = this.body(["endif"]);
    }
    this.#end("if", line);
    return { kind: "if", line, test, body, otherwise };
  }

  #for(line: number): JinjaStatement {
    const target = this.#target();
    if (JSON.stringify(target).includes('"name":"loop"')) {
      throw new JinjaError("can't assign to 'loop' in a for loop", line);
    }
    this.#p.expect("in");
    const items = this.#p.tuple({ conditional: false });
    const test = this.#p.take("if") ? this.#p.expression() : undefined;
    const recursive = this.#p.take("recursive");
    this.#close();
    const body = this.body(["else", "endfor"]);
    let otherwise: JinjaStatement[] = [];
    if (this.#peekTag("else")) {
      this.#p.next();
      this.#p.next();
      this.#close();
      otherwise = this.body(["endfor"]);
    }
    this.#end("for", line);
    return { kind: "for", line, target, items, test, recursive, body, otherwise };
  }

  #set(line: number): JinjaStatement {
    const target = this.#target({ namespace: true });
    if (this.#p.take("=")) {
      const value = this.#p.tuple();
      this.#close();
      return { kind: "set", line, target, value };
    }
    let filter: JinjaExpression | undefined;
    if (this.#p.take("|")) filter = this.#p.filterChain(undefined);
    return { kind: "setBlock", line, target, filter, body: this.#block("set", line) };
  }

  #macro(line: number): JinjaStatement {
    const name = this.#p.name();
    const parameters = this.#parameters();
    return { kind: "macro", line, name, parameters, body: this.#block("macro", line) };
  }

  #call(line: number): JinjaStatement {
    const parameters = this.#p.is("(") ? this.#parameters() : [];
    const call = this.#p.expression();
    if (call.kind !== "call") throw new JinjaError("'call' expects a call of a macro", line);
    return { kind: "callBlock", line, parameters, call, body: this.#block("call", line) };
  }

  #with(line: number): JinjaStatement {
    const assignments: [Target, JinjaExpression][] = [];
    while (this.#p.token.type !== "close") {
      if (assignments.length > 0) this.#p.expect(",");
      const target = this.#target();
      this.#p.expect("=");
      assignments.push([target, this.#p.expression()]);
    }
    return { kind: "with", line, assignments, body: this.#block("with", line) };
  }

  #parameters(): Parameter[] {
    const parameters: Parameter[] = [];
    this.#p.expect("(");
    while (!this.#p.take(")")) {
      if (parameters.length > 0) this.#p.expect(",");
      if (this.#p.take(")")) break;
      const name = this.#p.name();
      parameters.push({ name, fallback: this.#p.take("=") ? this.#p.expression() : undefined });
    }
    return parameters;
  }

  #target({ namespace = false } = {}): Target {
    const { line } = this.#p.token;
    const first = this.#targetItem({ namespace });
    if (!this.#p.is(",")) return first;
    const items = [first];
    while (this.#p.take(",") && !this.#p.is("in") && !this.#p.is("=")) {
      items.push(this.#targetItem({ namespace }));
    }
    return { kind: "tuple", line, items };
  }

  #targetItem({ namespace = false } = {}): Target {
    const { line } = this.#p.token;
    if (this.#p.take("(")) {
      const inner = this.#target({ namespace });
      this.#p.expect(")");
      return inner;
    }
    const name = this.#p.name();
    if (!namespace || !this.#p.take(".")) return { kind: "name", line, name };
    return { kind: "attribute", line, object: name, name: this.#p.name() };
  }
}
