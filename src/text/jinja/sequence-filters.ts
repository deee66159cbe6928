import { bind, toInteger, toText } from "./arguments.ts";
import { attributeOf, itemOf } from "./attribute.ts";
import { badInput, type JinjaFilter } from "./filter.ts";
import { JinjaError } from "./jinja-error.ts";
import { str } from "./print.ts";
import {
  compare,
  Dict,
  integerOf,
  isEqual,
  isTruthy,
  iterate,
  lengthOf,
  type Named,
  orUndefined,
  toNumber,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from "./value.ts";

/** Finds filters and tests by name, for `map` and `select`. Both throw JinjaError for unknown names. */
interface Lookup {
  readonly filterNamed: (name: string) => JinjaFilter;
  readonly testNamed: (
    name: string,
  ) => (input: Value, args: readonly Value[], named: Named) => boolean;
}

/** @returns Jinja2's filters for lists and dicts */
export function sequenceFilters({ filterNamed, testNamed }: Lookup): Record<string, JinjaFilter> {
  return {
    attr: (input, [name = null]) => attributeOf(input, toText("attr", name)),
    batch: (input, args, named) => {
      const [count = 1n, fill = null] = bind("batch", ["linecount", "fill_with"], args, named, 1);
      const size = toInteger("batch", count);
      const items = iterate(input);
      return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => {
        const batch = items.slice(i * size, (i + 1) * size);
        const missing = fill === null ? 0 : size - batch.length;
        return [...batch, ...new Array<Value>(missing).fill(fill)];
      });
    },
    count: (input) => BigInt(lengthOf(input)),
    dictsort: (input, args, named) => {
      const names = ["case_sensitive", "by", "reverse"];
      const [cased = false, by = "key", reverse = false] = bind("dictsort", names, args, named);
      if (!(input instanceof Dict)) throw badInput("dictsort", input);
      const pairs = input.entries().map(([key, value]) => new Tuple([key, value]));
      const at = by === "value" ? 1 : 0;
      return sorted(
        pairs,
        (pair) => fold(pair.items[at] as Value, isTruthy(cased)),
        isTruthy(reverse),
      );
    },
    first: (input) => orUndefined(iterate(input)[0], "No first item, sequence was empty."),
    groupby: (input, args, named) => {
      const names = ["attribute", "default", "case_sensitive"];
      const [attribute = null, fallback, cased = false] = bind("groupby", names, args, named, 1);
      const of = getter(attribute, fallback);
      const groups: { key: Value; items: Value[] }[] = [];
      for (const item of sorted(iterate(input), (item) => fold(of(item), isTruthy(cased)))) {
        const key = of(item);
        const last = groups.at(-1);
        if (last && isEqual(fold(last.key, isTruthy(cased)), fold(key, isTruthy(cased)))) {
          last.items.push(item);
        } else groups.push({ key, items: [item] });
      }
      return groups.map(({ key, items }) => new Tuple([key, items], ["grouper", "list"]));
    },
    items: (input) => {
      if (input instanceof Undefined) return [];
      if (!(input instanceof Dict)) throw new JinjaError("Can only get item pairs from a mapping.");
      return input.entries().map(([key, value]) => new Tuple([key, value]));
    },
    join: (input, args, named) => {
      const [separator = "", attribute] = bind("join", ["d", "attribute"], args, named);
      const of = attribute === undefined ? (item: Value) => item : getter(attribute);
      return iterate(input)
        .map((item) => str(of(item)))
        .join(str(separator));
    },
    last: (input) => orUndefined(iterate(input).at(-1), "No last item, sequence was empty."),
    list: (input) => [...iterate(input)],
    map: (input, args, named) => {
      const [name, ...rest] = args;
      const items = iterate(input);
      if (name === undefined) {
        const attribute = named.get("attribute");
        if (attribute === undefined) throw new JinjaError("map requires a filter argument");
        return items.map(getter(attribute, named.get("default")));
      }
      const filter = filterNamed(toText("map", name));
      return items.map((item) => filter(item, rest, named));
    },
    max: extreme("max"),
    min: extreme("min"),
    random: (input) => {
      const items = iterate(input);
      const index = Math.floor(Math.random() * items.length);
      return orUndefined(items[index], "No random item, sequence was empty.");
    },
    reject: choose(false, false, testNamed),
    rejectattr: choose(false, true, testNamed),
    reverse: (input) => {
      if (typeof input === "string") return [...input].reverse().join("");
      return [...iterate(input)].reverse();
    },
    select: choose(true, false, testNamed),
    selectattr: choose(true, true, testNamed),
    slice: (input, args, named) => {
      const [count = 1n, fill = null] = bind("slice", ["slices", "fill_with"], args, named, 1);
      const items = iterate(input);
      const slices = toInteger("slice", count);
      const size = Math.floor(items.length / slices);
      const larger = items.length % slices;
      return Array.from({ length: slices }, (_, i) => {
        const from = i * size + Math.min(i, larger);
        const slice = items.slice(from, from + size + (i < larger ? 1 : 0));
        return fill !== null && i >= larger && larger > 0 ? [...slice, fill] : slice;
      });
    },
    sort: (input, args, named) => {
      const names = ["reverse", "case_sensitive", "attribute"];
      const [reverse = false, cased = false, attribute = null] = bind("sort", names, args, named);
      const of = attribute === null ? (item: Value) => item : sortKey(attribute);
      return sorted(iterate(input), (item) => fold(of(item), isTruthy(cased)), isTruthy(reverse));
    },
    sum: (input, args, named) => {
      const [attribute = null, start = 0n] = bind("sum", ["attribute", "start"], args, named);
      const of = attribute === null ? (item: Value) => item : getter(attribute);
      return iterate(input).map(of).reduce(addNumbers, start);
    },
    unique: (input, args, named) => {
      const [cased = false, attribute = null] = bind(
        "unique",
        ["case_sensitive", "attribute"],
        args,
        named,
      );
      const of = attribute === null ? (item: Value) => item : getter(attribute);
      const seen: Value[] = [];
      return iterate(input).filter((item) => {
        const key = fold(of(item), isTruthy(cased));
        if (seen.some((other) => isEqual(other, key))) return false;
        seen.push(key);
        return true;
      });
    },
  };
}

/** @returns a function that gets an attribute, given as a path such as "a.b.0" or as an index */
function getter(attribute: Value, fallback?: Value): (item: Value) => Value {
  const path =
    typeof attribute === "string"
      ? attribute.split(".").map((part) => (/^\d+$/.test(part) ? BigInt(part) : part))
      : [attribute];
  return (item) => {
    const value = path.reduce<Value>((object, key) => itemOf(object, key), item);
    return value instanceof Undefined && fallback !== undefined ? fallback : value;
  };
}

/** @returns the sort key of "a,b": a tuple of both attributes */
function sortKey(attribute: Value): (item: Value) => Value {
  const names = typeof attribute === "string" ? attribute.split(",") : [attribute];
  const getters = names.map((name) => getter(name));
  if (getters.length === 1) return getters[0] as (item: Value) => Value;
  return (item) => new Tuple(getters.map((get) => get(item)));
}

/** Ignores case unless `cased`, as Jinja2's sorting filters do. */
function fold(value: Value, cased: boolean): Value {
  if (cased) return value;
  if (typeof value === "string") return value.toLowerCase();
  return value instanceof Tuple ? new Tuple(value.items.map((item) => fold(item, false))) : value;
}

function sorted<T extends Value>(
  items: readonly T[],
  key: (item: T) => Value,
  reverse = false,
): T[] {
  const keyed = items.map((item) => ({ item, key: key(item) }));
  // A reversed sort is stable, too.
  keyed.sort((a, b) => (reverse ? compare(b.key, a.key) : compare(a.key, b.key)));
  return keyed.map(({ item }) => item);
}

function extreme(name: "min" | "max"): JinjaFilter {
  return (input, args, named) => {
    const [cased = false, attribute = null] = bind(
      name,
      ["case_sensitive", "attribute"],
      args,
      named,
    );
    const of = attribute === null ? (item: Value) => item : getter(attribute);
    const ordered = (item: Value) => fold(of(item), isTruthy(cased));
    const items = iterate(input);
    if (items.length === 0) return new Undefined("No aggregated item, sequence was empty.");
    return items.reduce((best, item) => {
      const order = compare(ordered(item), ordered(best));
      return (name === "min" ? order < 0 : order > 0) ? item : best;
    });
  };
}

/** `select`, `reject` and their forms for attributes. Without a test, truth decides. */
function choose(keep: boolean, byAttribute: boolean, testNamed: Lookup["testNamed"]): JinjaFilter {
  return (input, args, named) => {
    const [name, ...rest] = byAttribute ? args.slice(1) : args;
    const of = byAttribute ? getter(args[0] ?? null) : (item: Value) => item;
    const test =
      name === undefined
        ? isTruthy
        : (value: Value) => testNamed(toText("select", name))(value, rest, named);
    return iterate(input).filter((item) => test(of(item)) === keep);
  };
}

function addNumbers(total: Value, item: Value): Value {
  const [a, b] = [integerOf(total), integerOf(item)];
  if (a !== undefined && b !== undefined) return a + b;
  const [x, y] = [toNumber(total), toNumber(item)];
  if (x !== undefined && y !== undefined) return x + y;
  if (item instanceof Undefined) throw item.error;
  throw new JinjaError(
    `unsupported operand type(s) for +: '${typeName(total)}' and '${typeName(item)}'`,
  );
}
