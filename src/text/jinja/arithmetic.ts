import type { ArithmeticOperator } from "./ast.ts";
import { formatPercent } from "./format.ts";
import { JinjaError } from "./jinja-error.ts";
import {
  integerOf,
  sequenceItems,
  toNumber,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from "./value.ts";

/** Texts, lists and numbers beyond this are refused, because they would fill the memory. */
const MAX_SIZE = 10_000_000;

/**
 * Python's arithmetic on numbers, texts and sequences.
 *
 * @throws JinjaError for other operands, division by zero and results that are too large
 */
export function arithmetic(operator: ArithmeticOperator, a: Value, b: Value): Value {
  for (const operand of [a, b]) {
    if (operand instanceof Undefined && !(operator === "%" && typeof a === "string")) {
      throw operand.error;
    }
  }
  if (operator === "%" && typeof a === "string") return formatPercent(a, b);
  const [left, right] = [integerOf(a), integerOf(b)];
  if (left !== undefined && right !== undefined) return integers(operator, left, right);
  const [x, y] = [toNumber(a), toNumber(b)];
  if (x !== undefined && y !== undefined) return floats(operator, x, y);
  const joined = operator === "+" ? join(a, b) : operator === "*" ? repeat(a, b) : undefined;
  if (joined !== undefined) return joined;
  throw new JinjaError(
    `unsupported operand type(s) for ${operator}: '${typeName(a)}' and '${typeName(b)}'`,
  );
}

function integers(operator: ArithmeticOperator, a: bigint, b: bigint): Value {
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      return Number(a) / nonZero(Number(b));
    case "//":
      return floorDivide(a, b);
    case "%":
      return a - floorDivide(a, b) * b;
    case "**":
      if (b < 0n) return Number(a) ** Number(b);
      checkSize(Number(b) * a.toString(2).length);
      return a ** b;
  }
}

function floorDivide(a: bigint, b: bigint): bigint {
  nonZero(Number(b));
  const quotient = a / b;
  return a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient;
}

function floats(operator: ArithmeticOperator, a: number, b: number): number {
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      return a / nonZero(b);
    case "//":
      return Math.floor(a / nonZero(b));
    case "%": {
      const remainder = a % nonZero(b);
      return remainder !== 0 && remainder < 0 !== b < 0 ? remainder + b : remainder;
    }
    case "**":
      return a ** b;
  }
}

function nonZero(divisor: number): number {
  if (divisor === 0) throw new JinjaError("division by zero");
  return divisor;
}

function join(a: Value, b: Value): Value | undefined {
  if (typeof a === "string" && typeof b === "string") {
    checkSize(a.length + b.length);
    return a + b;
  }
  const [items, others] = [sequenceItems(a), sequenceItems(b)];
  if (!items || !others || typeName(a) !== typeName(b)) return undefined;
  const all = [...items, ...others];
  return a instanceof Tuple ? new Tuple(all) : all;
}

function repeat(a: Value, b: Value): Value | undefined {
  const count = integerOf(a) ?? integerOf(b);
  if (count === undefined) return undefined;
  const repeated = integerOf(a) === undefined ? a : b;
  const times = Math.max(0, Number(count));
  if (typeof repeated === "string") {
    checkSize(repeated.length * times);
    return repeated.repeat(times);
  }
  const items = sequenceItems(repeated);
  if (!items) return undefined;
  checkSize(items.length * times);
  const all = Array.from({ length: times }, () => items).flat() as Value[];
  return repeated instanceof Tuple ? new Tuple(all) : all;
}

/** @throws JinjaError for a size beyond the limit */
export function checkSize(size: number): void {
  if (size > MAX_SIZE) throw new JinjaError(`a result is larger than ${MAX_SIZE}`);
}
