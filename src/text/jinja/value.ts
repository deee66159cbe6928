import { JinjaError } from "./jinja-error.ts";

/**
 * A Python value. An int is a bigint and a float a number, so that `1` and `1.0` stay different. None is
 * null, a list is an array.
 */
export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | readonly Value[]
  | Tuple
  | Dict
  | DictView
  | Namespace
  | Callable
  | Loop
  | Undefined;

export class Tuple {
  readonly items: readonly Value[];
  /** The names of the items, where they have any: `grouper` and `list` of `groupby`. */
  readonly names: readonly string[];

  constructor(items: readonly Value[], names: readonly string[] = []) {
    this.items = items;
    this.names = names;
  }
}

/** What a dict's `keys()`, `values()` and `items()` return. It has no indexes. */
export class DictView {
  readonly kind: "dict_keys" | "dict_values" | "dict_items";
  readonly items: readonly Value[];

  constructor(kind: DictView["kind"], items: readonly Value[]) {
    this.kind = kind;
    this.items = items;
  }
}

/** A Python dict: any hashable keys, in the order of their insertion. */
export class Dict {
  readonly #entries = new Map<string, readonly [Value, Value]>();

  constructor(entries: Iterable<readonly [Value, Value]> = []) {
    for (const [key, value] of entries) this.set(key, value);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** @throws JinjaError for a key that is not hashable */
  get(key: Value): Value | undefined {
    return this.#entries.get(hashOf(key))?.[1];
  }

  has(key: Value): boolean {
    return this.#entries.has(hashOf(key));
  }

  set(key: Value, value: Value): void {
    const hash = hashOf(key);
    // An equal key stays: {1: "a"} with True = "b" is {1: "b"}.
    const known = this.#entries.get(hash);
    this.#entries.set(hash, [known ? known[0] : key, value]);
  }

  keys(): Value[] {
    return this.entries().map(([key]) => key);
  }

  values(): Value[] {
    return this.entries().map(([, value]) => value);
  }

  entries(): (readonly [Value, Value])[] {
    return [...this.#entries.values()];
  }
}

/** The object that `namespace()` returns: the only one whose attributes `set` can change. */
export class Namespace {
  readonly attributes: Dict;

  constructor(attributes: Dict) {
    this.attributes = attributes;
  }
}

/** The named arguments of a call. */
export type Named = ReadonlyMap<string, Value>;

/** A function, a method or a macro. */
export class Callable {
  readonly name: string;
  readonly call: (args: readonly Value[], named: Named) => Value;
  /** Further attributes, such as those of a macro or of `cycler`. */
  readonly attribute: (name: string) => Value | undefined;

  constructor(
    name: string,
    call: (args: readonly Value[], named: Named) => Value,
    attribute: (name: string) => Value | undefined = () => undefined,
  ) {
    this.name = name;
    this.call = call;
    this.attribute = attribute;
  }
}

/** The variable `loop` of a `for`. */
export class Loop {
  readonly items: readonly Value[];
  readonly depth0: number;
  /** Runs a recursive loop over other items. */
  readonly recurse: ((items: Value) => Value) | undefined;
  index0 = 0;
  lastChanged: readonly Value[] | undefined;

  constructor(items: readonly Value[], depth0: number, recurse?: (items: Value) => Value) {
    this.items = items;
    this.depth0 = depth0;
    this.recurse = recurse;
  }
}

/** A missing variable, attribute or item. It prints as nothing, and most operations on it fail. */
export class Undefined {
  /** The reason, such as "'x' is undefined". */
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }

  get error(): JinjaError {
    return new JinjaError(this.reason);
  }
}

/** @returns a value, or an `Undefined` where there is none; None counts as a value */
export function orUndefined(value: Value | undefined, reason: string): Value {
  return value === undefined ? new Undefined(reason) : value;
}

/** @returns the name of a value's Python type */
export function typeName(value: Value): string {
  if (value === null) return "NoneType";
  if (Array.isArray(value)) return "list";
  switch (typeof value) {
    case "boolean":
      return "bool";
    case "bigint":
      return "int";
    case "number":
      return "float";
    case "string":
      return "str";
  }
  if (value instanceof Tuple) return "tuple";
  if (value instanceof Dict) return "dict";
  if (value instanceof DictView) return value.kind;
  if (value instanceof Namespace) return "Namespace";
  if (value instanceof Loop) return "LoopContext";
  return value instanceof Undefined ? "Undefined" : "function";
}

/** @returns the elements of a list or a tuple, or undefined for any other value */
export function sequenceItems(value: Value): readonly Value[] | undefined {
  if (Array.isArray(value)) return value as readonly Value[];
  return value instanceof Tuple ? value.items : undefined;
}

export function isTruthy(value: Value): boolean {
  const items = sequenceItems(value);
  if (items) return items.length > 0;
  if (value instanceof Dict) return value.size > 0;
  if (value instanceof DictView) return value.items.length > 0;
  return !(value instanceof Undefined) && Boolean(value);
}

/** @returns a number for an int, a float or a bool, else undefined */
export function toNumber(value: Value): number | undefined {
  return ["boolean", "bigint", "number"].includes(typeof value) ? Number(value) : undefined;
}

export function isEqual(a: Value, b: Value): boolean {
  if (a === b) return true;
  const [left, right] = [integerOf(a), integerOf(b)];
  if (left !== undefined && right !== undefined) return left === right;
  const [x, y] = [toNumber(a), toNumber(b)];
  if (x !== undefined && y !== undefined) return x === y;
  if (a instanceof Undefined) return b instanceof Undefined;
  if (a instanceof Dict && b instanceof Dict) {
    return (
      a.size === b.size &&
      a.entries().every(([key, value]) => b.has(key) && isEqual(value, b.get(key) as Value))
    );
  }
  const [items, others] = [sequenceItems(a), sequenceItems(b)];
  if (!items || !others || typeName(a) !== typeName(b)) return false;
  return items.length === others.length && items.every((item, i) => isEqual(item, others[i]!));
}

/**
 * Orders two values as Python does.
 *
 * @returns below 0, 0 or above 0
 * @throws JinjaError where Python can't compare them
 */
export function compare(a: Value, b: Value, operator = "<"): number {
  const [x, y] = [toNumber(a), toNumber(b)];
  if (x !== undefined && y !== undefined) {
    const [left, right] = [integerOf(a), integerOf(b)];
    if (left !== undefined && right !== undefined) return left < right ? -1 : left > right ? 1 : 0;
    return x - y;
  }
  if (typeof a === "string" && typeof b === "string") return compareText(a, b);
  const [items, others] = [sequenceItems(a), sequenceItems(b)];
  if (items && others && typeName(a) === typeName(b)) {
    for (let i = 0; i < Math.min(items.length, others.length); i++) {
      const [left, right] = [items[i] as Value, others[i] as Value];
      if (!isEqual(left, right)) return compare(left, right, operator);
    }
    return items.length - others.length;
  }
  for (const value of [a, b]) if (value instanceof Undefined) throw value.error;
  throw new JinjaError(
    `'${operator}' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`,
  );
}

/** Compares by code points. JavaScript's `<` compares UTF-16 units. */
function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const [left, right] = [[...a], [...b]];
  const at = left.findIndex((character, i) => character !== right[i]);
  if (at < 0) return left.length - right.length;
  return (left[at]?.codePointAt(0) ?? -1) - (right[at]?.codePointAt(0) ?? -1);
}

/** @returns the int that a bool or an int is */
export function integerOf(value: Value): bigint | undefined {
  if (typeof value === "bigint") return value;
  return typeof value === "boolean" ? BigInt(value) : undefined;
}

/**
 * @returns the elements that a `for` loop visits
 * @throws JinjaError for a value that is not iterable
 */
export function iterate(value: Value): readonly Value[] {
  const items = sequenceItems(value);
  if (items) return items;
  if (typeof value === "string") return [...value];
  if (value instanceof Dict) return value.keys();
  if (value instanceof DictView) return value.items;
  if (value instanceof Undefined) return [];
  throw new JinjaError(`'${typeName(value)}' object is not iterable`);
}

/** @throws JinjaError for a value that has no length */
export function lengthOf(value: Value): number {
  if (typeof value === "string") return [...value].length;
  if (value instanceof Dict) return value.size;
  if (value instanceof DictView) return value.items.length;
  if (value instanceof Undefined) return 0;
  const items = sequenceItems(value);
  if (items) return items.length;
  throw new JinjaError(`object of type '${typeName(value)}' has no len()`);
}

/** @returns the same for keys that are equal in Python, such as 1, 1.0 and True */
function hashOf(key: Value): string {
  if (typeof key === "string") return `s${key}`;
  if (key === null) return "none";
  const integer = integerOf(key);
  if (integer !== undefined) return `n${integer}`;
  if (typeof key === "number") return Number.isInteger(key) ? `n${BigInt(key)}` : `n${key}`;
  if (key instanceof Tuple) return `t${JSON.stringify(key.items.map(hashOf))}`;
  if (key instanceof Undefined) throw key.error;
  throw new JinjaError(`unhashable type: '${typeName(key)}'`);
}

/**
 * Converts JSON values and plain objects. An integral number becomes an int: JSON's `1.0` and `1` are
 * the same number in JavaScript.
 */
export function fromJavaScript(value: unknown): Value {
  if (value === null || typeof value === "boolean" || typeof value === "string") return value;
  if (typeof value === "number") return Number.isInteger(value) ? BigInt(value) : value;
  if (typeof value === "bigint") return value;
  if (Array.isArray(value)) return value.map(fromJavaScript);
  if (value instanceof Callable) return value;
  if (typeof value === "object") {
    const defined = Object.entries(value as object).filter(([, entry]) => entry !== undefined);
    return new Dict(defined.map(([key, entry]) => [key, fromJavaScript(entry)] as const));
  }
  throw new TypeError(`fromJavaScript: expected a JSON value, got ${typeof value}`);
}
