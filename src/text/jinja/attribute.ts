import { bind } from "./arguments.ts";
import { JinjaError } from "./jinja-error.ts";
import { repr } from "./print.ts";
import { STRING_METHODS } from "./string-methods.ts";
import {
  Callable,
  Dict,
  DictView,
  integerOf,
  isEqual,
  Loop,
  type Named,
  Namespace,
  orUndefined,
  sequenceItems,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from "./value.ts";

type Method<T> = (object: T, args: readonly Value[], named: Named) => Value;

const DICT_METHODS: Readonly<Record<string, Method<Dict>>> = {
  copy: (dict) => new Dict(dict.entries()),
  get: (dict, args) => {
    const [key = null, fallback = null] = bind("get", ["key", "default"], args, undefined, 1);
    return dict.has(key) ? (dict.get(key) as Value) : fallback;
  },
  items: (dict) => {
    const pairs = dict.entries().map(([key, value]) => new Tuple([key, value]));
    return new DictView("dict_items", pairs);
  },
  keys: (dict) => new DictView("dict_keys", dict.keys()),
  values: (dict) => new DictView("dict_values", dict.values()),
};

const LIST_METHODS: Readonly<Record<string, Method<readonly Value[]>>> = {
  copy: (items) => [...items],
  count: (items, [wanted = null]) => BigInt(items.filter((item) => isEqual(item, wanted)).length),
  index: (items, [wanted = null]) => {
    const at = items.findIndex((item) => isEqual(item, wanted));
    if (at < 0) throw new JinjaError(`${repr(wanted)} is not in list`);
    return BigInt(at);
  },
};

/** Methods that change their object. transformers' sandbox forbids them, too. */
const MUTATORS: Readonly<Record<string, readonly string[]>> = {
  list: ["append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"],
  dict: ["clear", "pop", "popitem", "setdefault", "update"],
};

/** `object.name`: an attribute or, without one, the item of this name. */
export function attributeOf(object: Value, name: string): Value {
  if (object instanceof Undefined) throw object.error;
  const attribute = ownAttribute(object, name);
  if (attribute !== undefined) return attribute;
  const item = object instanceof Dict ? object.get(name) : undefined;
  return orUndefined(item, `'${objectName(object)}' has no attribute '${name}'`);
}

/** `object[key]`: an item or, without one, the attribute of this name. */
export function itemOf(object: Value, key: Value): Value {
  if (object instanceof Undefined) throw object.error;
  if (object instanceof Dict) {
    const item = object.get(key);
    if (item !== undefined) return item;
  }
  const items = typeof object === "string" ? [...object] : sequenceItems(object);
  const index = integerOf(key);
  if (items && index !== undefined) {
    const item = items.at(Number(index));
    return orUndefined(item, `${objectName(object)} has no element ${index}`);
  }
  const attribute = typeof key === "string" ? ownAttribute(object, key) : undefined;
  if (attribute !== undefined) return attribute;
  if (typeof key === "string") {
    return new Undefined(`'${objectName(object)}' has no attribute '${key}'`);
  }
  return new Undefined(`${objectName(object)} has no element ${repr(key)}`);
}

function objectName(object: Value): string {
  return object === null ? "None" : `${typeName(object)} object`;
}

function ownAttribute(object: Value, name: string): Value | undefined {
  if (typeof object === "string") return method(object, name, STRING_METHODS);
  if (object instanceof Dict) return mutator(object, name) ?? method(object, name, DICT_METHODS);
  if (object instanceof Namespace) return object.attributes.get(name);
  if (object instanceof Callable) return name === "name" ? object.name : object.attribute(name);
  if (object instanceof Loop) return loopAttribute(object, name);
  if (object instanceof Tuple && object.names.includes(name)) {
    return object.items[object.names.indexOf(name)];
  }
  const items = sequenceItems(object);
  if (items) return mutator(object, name) ?? method(items, name, LIST_METHODS);
  if (typeof object === "number" && name === "is_integer") {
    return new Callable(name, () => Number.isInteger(object));
  }
  return undefined;
}

function method<T>(
  object: T,
  name: string,
  methods: Readonly<Record<string, Method<T>>>,
): Value | undefined {
  const found = Object.hasOwn(methods, name) ? methods[name] : undefined;
  return found && new Callable(name, (args, named) => found(object, args, named));
}

function mutator(object: Value, name: string): Value | undefined {
  if (!MUTATORS[typeName(object)]?.includes(name)) return undefined;
  return new Callable(name, () => {
    throw new JinjaError(
      `access to attribute '${name}' of '${typeName(object)}' object is unsafe.`,
    );
  });
}

function loopAttribute(loop: Loop, name: string): Value | undefined {
  const { items, index0, depth0 } = loop;
  const neighbour = (index: number) => {
    return orUndefined(items[index], `there is no ${index < index0 ? "previous" : "next"} item`);
  };
  switch (name) {
    case "index0":
      return BigInt(index0);
    case "index":
      return BigInt(index0 + 1);
    case "revindex0":
      return BigInt(items.length - index0 - 1);
    case "revindex":
      return BigInt(items.length - index0);
    case "first":
      return index0 === 0;
    case "last":
      return index0 === items.length - 1;
    case "length":
      return BigInt(items.length);
    case "depth0":
      return BigInt(depth0);
    case "depth":
      return BigInt(depth0 + 1);
    case "previtem":
      return neighbour(index0 - 1);
    case "nextitem":
      return neighbour(index0 + 1);
    case "cycle":
      return new Callable("cycle", (args) => {
        if (args.length === 0) throw new JinjaError("no items for cycling given");
        return args[index0 % args.length] as Value;
      });
    case "changed":
      return new Callable("changed", (args) => {
        const before = loop.lastChanged;
        loop.lastChanged = args;
        return before === undefined || !isEqual(before, args);
      });
  }
  return undefined;
}

/**
 * `object[start:stop:step]`
 *
 * @throws JinjaError for a step of 0 and for objects without order
 */
export function sliceOf(object: Value, start: Value, stop: Value, step: Value): Value {
  const items = typeof object === "string" ? [...object] : sequenceItems(object);
  if (object instanceof Undefined) throw object.error;
  if (!items) throw new JinjaError(`'${typeName(object)}' object can't be sliced`);
  const by = bound(step) ?? 1;
  if (by === 0) throw new JinjaError("slice step cannot be zero");
  const n = items.length;
  const clamp = (index: number): number => {
    const [low, high] = by > 0 ? [0, n] : [-1, n - 1];
    return Math.min(high, Math.max(low, index < 0 ? index + n : index));
  };
  const first = bound(start);
  const last = bound(stop);
  const from = first === undefined ? (by > 0 ? 0 : n - 1) : clamp(first);
  const to = last === undefined ? (by > 0 ? n : -1) : clamp(last);
  const picked: Value[] = [];
  for (let i = from; by > 0 ? i < to : i > to; i += by) picked.push(items[i] as Value);
  if (typeof object === "string") return picked.join("");
  return object instanceof Tuple ? new Tuple(picked) : picked;
}

function bound(value: Value): number | undefined {
  if (value === null) return undefined;
  const integer = integerOf(value);
  if (integer !== undefined) return Number(integer);
  throw new JinjaError("slice indices must be integers or None");
}
