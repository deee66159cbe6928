import { arithmetic } from "./arithmetic.ts";
import type { Arguments, CompareOperator, JinjaExpression } from "./ast.ts";
import { attributeOf, itemOf, sliceOf } from "./attribute.ts";
import { filterNamed, testNamed } from "./filters.ts";
import { JinjaError } from "./jinja-error.ts";
import { str } from "./print.ts";
import type { Scope } from "./scope.ts";
import { contains } from "./tests.ts";
import {
  Callable,
  compare,
  Dict,
  integerOf,
  isEqual,
  isTruthy,
  iterate,
  Loop,
  type Named,
  orUndefined,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from "./value.ts";

/**
 * Evaluates an expression.
 *
 * @param body the input of a filter without one, in filter and set blocks
 * @throws JinjaError with the line of the innermost expression that failed
 */
export function evaluate(node: JinjaExpression, scope: Scope, body?: string): Value {
  scope.limits.step(node.line);
  try {
    return evaluateNode(node, scope, body);
  } catch (error) {
    if (!(error instanceof JinjaError) || error.line !== undefined) throw error;
    throw new JinjaError(error.message, node.line);
  }
}

function evaluateNode(node: JinjaExpression, scope: Scope, body?: string): Value {
  switch (node.kind) {
    case "constant":
      return node.value;
    case "name":
      return orUndefined(scope.get(node.name), `'${node.name}' is undefined`);
    case "list":
      return node.items.map((item) => evaluate(item, scope));
    case "tuple":
      return new Tuple(node.items.map((item) => evaluate(item, scope)));
    case "dict":
      return new Dict(
        node.entries.map(([key, value]) => [evaluate(key, scope), evaluate(value, scope)] as const),
      );
    case "attribute":
      return attributeOf(evaluate(node.object, scope), node.name);
    case "item": {
      const object = evaluate(node.object, scope);
      if (node.key.kind !== "slice") return itemOf(object, evaluate(node.key, scope));
      const bound = (part: JinjaExpression | undefined) => (part ? evaluate(part, scope) : null);
      return sliceOf(object, bound(node.key.start), bound(node.key.stop), bound(node.key.step));
    }
    case "slice":
      throw new JinjaError("a slice is possible in a subscript only");
    case "call":
      return call(evaluate(node.callee, scope), ...argumentsOf(node.args, scope));
    case "filter": {
      const input = node.input ? evaluate(node.input, scope, body) : (body ?? "");
      return filterNamed(node.name)(input, ...argumentsOf(node.args, scope));
    }
    case "test":
      return testNamed(node.name)(evaluate(node.input, scope), ...argumentsOf(node.args, scope));
    case "not":
      return !isTruthy(evaluate(node.operand, scope));
    case "sign":
      return signed(node.sign, evaluate(node.operand, scope));
    case "arithmetic":
      return arithmetic(node.operator, evaluate(node.left, scope), evaluate(node.right, scope));
    case "logic": {
      const left = evaluate(node.left, scope);
      return isTruthy(left) === (node.operator === "and") ? evaluate(node.right, scope) : left;
    }
    case "compare": {
      let left = evaluate(node.first, scope);
      for (const [operator, operand] of node.rest) {
        const right = evaluate(operand, scope);
        if (!holds(operator, left, right)) return false;
        left = right;
      }
      return true;
    }
    case "concat":
      return node.parts.map((part) => str(evaluate(part, scope))).join("");
    case "conditional": {
      if (isTruthy(evaluate(node.test, scope))) return evaluate(node.then, scope);
      if (node.otherwise) return evaluate(node.otherwise, scope);
      return new Undefined("the inline if-expression evaluated to false and has no else");
    }
  }
}

/** @throws JinjaError for a value that is not callable */
export function call(callee: Value, args: readonly Value[], named: Named): Value {
  if (callee instanceof Callable) return callee.call(args, named);
  if (callee instanceof Loop) {
    if (callee.recurse) return callee.recurse(args[0] ?? null);
    throw new JinjaError("the loop must have the 'recursive' marker to be called");
  }
  if (callee instanceof Undefined) throw callee.error;
  throw new JinjaError(`'${typeName(callee)}' object is not callable`);
}

/** Evaluates the arguments of a call, `*args` and `**kwargs` included. */
export function argumentsOf(
  { positional, named, spread, spreadNamed }: Arguments,
  scope: Scope,
): [args: Value[], named: Map<string, Value>] {
  const args = positional.map((argument) => evaluate(argument, scope));
  if (spread) args.push(...iterate(evaluate(spread, scope)));
  const byName = new Map(named.map(([name, value]) => [name, evaluate(value, scope)]));
  const more = spreadNamed ? evaluate(spreadNamed, scope) : undefined;
  if (more instanceof Dict)
    for (const [name, value] of more.entries()) byName.set(str(name), value);
  return [args, byName];
}

function signed(sign: "+" | "-", operand: Value): Value {
  if (operand instanceof Undefined) throw operand.error;
  const integer = integerOf(operand);
  if (integer !== undefined) return sign === "-" ? -integer : integer;
  if (typeof operand === "number") return sign === "-" ? -operand : operand;
  throw new JinjaError(`bad operand type for unary ${sign}: '${typeName(operand)}'`);
}

function holds(operator: CompareOperator, left: Value, right: Value): boolean {
  switch (operator) {
    case "==":
      return isEqual(left, right);
    case "!=":
      return !isEqual(left, right);
    case "in":
      return contains(right, left);
    case "not in":
      return !contains(right, left);
    case "<":
      return compare(left, right, operator) < 0;
    case "<=":
      return compare(left, right, operator) <= 0;
    case ">":
      return compare(left, right, operator) > 0;
    case ">=":
      return compare(left, right, operator) >= 0;
  }
}
