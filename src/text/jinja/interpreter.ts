import { checkSize } from "./arithmetic.ts";
import type { Parameter, JinjaStatement, Target } from "./ast.ts";
import { argumentsOf, call, evaluate } from "./evaluate.ts";
import { assignAttribute, globals } from "./globals.ts";
import { JinjaError } from "./jinja-error.ts";
import { parseTemplate } from "./parser.ts";
import { str } from "./print.ts";
import { StepLimits, Scope } from "./scope.ts";
import {
  Callable,
  Dict,
  fromJavaScript,
  isTruthy,
  iterate,
  Loop,
  type Named,
  Tuple,
  Undefined,
  type Value,
} from "./value.ts";

/** Leaves a loop's body. */
class LoopExit extends Error {
  readonly how: "break" | "continue";
  /** The text that the body had written when it was left. */
  output = "";

  constructor(how: "break" | "continue") {
    super(how);
    this.how = how;
  }
}

/** A parsed chat template. It writes what Jinja2 writes with the settings of transformers. */
export class JinjaTemplate {
  readonly #body: readonly JinjaStatement[];

  /** @throws JinjaError with the line for invalid syntax */
  constructor(source: string) {
    this.#body = parseTemplate(source);
  }

  /**
   * @param variables JSON values
   * @throws JinjaError with the line and the construct that failed; RaisedError where the template
   *   calls `raise_exception`
   */
  render(variables: Readonly<Record<string, unknown>>): string {
    const values = Object.entries(variables)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, fromJavaScript(value)] as const);
    const scope = new Scope([...globals(), ...values], new StepLimits());
    return run(this.#body, scope);
  }
}

function run(body: readonly JinjaStatement[], scope: Scope): string {
  let output = "";
  for (const statement of body) {
    scope.limits.step(statement.line);
    try {
      output += runStatement(statement, scope);
    } catch (error) {
      if (error instanceof LoopExit) error.output = output + error.output;
      if (!(error instanceof JinjaError) || error.line !== undefined) throw error;
      throw new JinjaError(error.message, statement.line);
    }
    checkSize(output.length);
  }
  return output;
}

function runStatement(node: JinjaStatement, scope: Scope): string {
  switch (node.kind) {
    case "text":
      return node.text;
    case "output":
      return str(evaluate(node.expression, scope));
    case "if":
      return run(isTruthy(evaluate(node.test, scope)) ? node.body : node.otherwise, scope);
    case "for":
      return runLoop(node, evaluate(node.items, scope), scope, 0);
    case "set":
      assign(node.target, evaluate(node.value, scope), scope);
      return "";
    case "setBlock": {
      const text = run(node.body, scope.inner());
      assign(node.target, node.filter ? evaluate(node.filter, scope, text) : text, scope);
      return "";
    }
    case "macro":
      scope.set(node.name, macro(node.name, node.parameters, node.body, scope));
      return "";
    case "callBlock": {
      if (node.call.kind !== "call") throw new JinjaError("'call' expects a call of a macro");
      const [args, named] = argumentsOf(node.call.args, scope);
      named.set("caller", macro("caller", node.parameters, node.body, scope));
      return str(call(evaluate(node.call.callee, scope), args, named));
    }
    case "filterBlock":
      return str(evaluate(node.filter, scope, run(node.body, scope.inner())));
    case "with": {
      const inner = scope.inner();
      for (const [target, value] of node.assignments) assign(target, evaluate(value, scope), inner);
      return run(node.body, inner);
    }
    case "scope":
      return run(node.body, scope.inner());
    case "break":
    case "continue":
      throw new LoopExit(node.kind);
  }
}

function runLoop(
  node: JinjaStatement & { kind: "for" },
  items: Value,
  scope: Scope,
  depth0: number,
): string {
  const kept = iterate(items).filter((item) => {
    if (!node.test) return true;
    const inner = scope.inner();
    assign(node.target, item, inner);
    return isTruthy(evaluate(node.test, inner));
  });
  if (kept.length === 0) return run(node.otherwise, scope.inner());
  const recurse = (inner: Value): Value =>
    scope.limits.nested(() => runLoop(node, inner, scope, depth0 + 1));
  const loop = new Loop(kept, depth0, node.recursive ? recurse : undefined);
  let output = "";
  for (const [index, item] of kept.entries()) {
    loop.index0 = index;
    // Each iteration has a scope of its own: its assignments are gone afterwards.
    const inner = scope.inner([["loop", loop]]);
    assign(node.target, item, inner);
    try {
      output += run(node.body, inner);
    } catch (error) {
      if (!(error instanceof LoopExit)) throw error;
      output += error.output;
      if (error.how === "break") break;
    }
    checkSize(output.length);
  }
  return output;
}

function assign(target: Target, value: Value, scope: Scope): void {
  switch (target.kind) {
    case "name":
      scope.set(target.name, value);
      return;
    case "attribute":
      assignAttribute(scope.get(target.object), target.name, value);
      return;
    case "tuple": {
      const items = iterate(value);
      if (items.length !== target.items.length) {
        const problem = items.length < target.items.length ? "not enough" : "too many";
        throw new JinjaError(
          `${problem} values to unpack (expected ${target.items.length}, got ${items.length})`,
        );
      }
      target.items.forEach((inner, i) => assign(inner, items[i] as Value, scope));
    }
  }
}

function macro(
  name: string,
  parameters: readonly Parameter[],
  body: readonly JinjaStatement[],
  scope: Scope,
): Callable {
  const names = parameters.map((parameter) => parameter.name);
  const invoke = (args: readonly Value[], named: Named): Value =>
    scope.limits.nested(() => {
      const inner = scope.inner();
      parameters.forEach((parameter, i) => {
        const given = args[i] ?? named.get(parameter.name);
        const { fallback } = parameter;
        const missing = new Undefined(`parameter '${parameter.name}' was not provided`);
        inner.set(parameter.name, given ?? (fallback ? evaluate(fallback, inner) : missing));
      });
      const others = [...named].filter(([key]) => !names.includes(key) && key !== "caller");
      inner.set("varargs", new Tuple(args.slice(names.length)));
      inner.set("kwargs", new Dict(others));
      inner.set("caller", named.get("caller") ?? new Undefined("No caller defined"));
      return run(body, inner);
    });
  return new Callable(name, invoke);
}
