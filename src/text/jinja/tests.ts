import { JinjaError } from "./jinja-error.ts";
import {
  Callable,
  compare,
  Dict,
  integerOf,
  isEqual,
  iterate,
  Loop,
  sequenceItems,
  toNumber,
  typeName,
  Undefined,
  type Value,
} from "./value.ts";

export type JinjaTest = (input: Value, args: readonly Value[]) => boolean;

const isEqualTo: JinjaTest = (input, [other = null]) => isEqual(input, other);
const isNotEqualTo: JinjaTest = (input, [other = null]) => !isEqual(input, other);
const isLess: JinjaTest = (input, [other = null]) => compare(input, other, "<") < 0;
const isAtMost: JinjaTest = (input, [other = null]) => compare(input, other, "<=") <= 0;
const isGreater: JinjaTest = (input, [other = null]) => compare(input, other, ">") > 0;
const isAtLeast: JinjaTest = (input, [other = null]) => compare(input, other, ">=") >= 0;

/** Jinja2's tests, except `filter` and `test`, which need the list of names. */
export const TESTS: Readonly<Record<string, JinjaTest>> = {
  "!=": isNotEqualTo,
  "<": isLess,
  "<=": isAtMost,
  "==": isEqualTo,
  ">": isGreater,
  ">=": isAtLeast,
  boolean: (input) => typeof input === "boolean",
  callable: (input) => input instanceof Callable || input instanceof Loop,
  defined: (input) => !(input instanceof Undefined),
  divisibleby: (input, [by = null]) => remainder(input, by) === 0n,
  eq: isEqualTo,
  equalto: isEqualTo,
  escaped: () => false,
  even: (input) => remainder(input, 2n) === 0n,
  false: (input) => input === false,
  float: (input) => typeof input === "number",
  ge: isAtLeast,
  greaterthan: isGreater,
  gt: isGreater,
  in: (input, [container = null]) => contains(container, input),
  integer: (input) => typeof input === "bigint",
  iterable: (input) => {
    const known = typeof input === "string" || input instanceof Dict || input instanceof Undefined;
    return known || sequenceItems(input) !== undefined;
  },
  le: isAtMost,
  lessthan: isLess,
  lower: (input) => {
    const text = String(input);
    return text === text.toLowerCase() && text !== text.toUpperCase();
  },
  lt: isLess,
  mapping: (input) => input instanceof Dict,
  ne: isNotEqualTo,
  none: (input) => input === null,
  number: (input) => toNumber(input) !== undefined,
  odd: (input) => remainder(input, 2n) === 1n,
  sameas: (input, [other = null]) => input === other,
  sequence: (input) => {
    const known = typeof input === "string" || input instanceof Dict || input instanceof Undefined;
    return known || sequenceItems(input) !== undefined;
  },
  string: (input) => typeof input === "string",
  true: (input) => input === true,
  undefined: (input) => input instanceof Undefined,
  upper: (input) => {
    const text = String(input);
    return text === text.toUpperCase() && text !== text.toLowerCase();
  },
};

function remainder(input: Value, by: Value): bigint {
  const [value, divisor] = [integerOf(input), integerOf(by)];
  if (input instanceof Undefined) throw input.error;
  if (value === undefined || divisor === undefined || divisor === 0n) {
    throw new JinjaError(`expected integers, got '${typeName(input)}' and '${typeName(by)}'`);
  }
  return ((value % divisor) + divisor) % divisor;
}

/**
 * Python's `in`.
 *
 * @throws JinjaError for a container that has no elements, and for a non-string in a string
 */
export function contains(container: Value, wanted: Value): boolean {
  if (typeof container === "string") {
    if (typeof wanted === "string") return container.includes(wanted);
    if (wanted instanceof Undefined) throw wanted.error;
    throw new JinjaError(`'in <string>' requires string as left operand, not ${typeName(wanted)}`);
  }
  if (container instanceof Dict) return container.has(wanted);
  const items = sequenceItems(container);
  if (!items && !(container instanceof Undefined)) {
    throw new JinjaError(`argument of type '${typeName(container)}' is not iterable`);
  }
  return iterate(container).some((item) => isEqual(item, wanted));
}
