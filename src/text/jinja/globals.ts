import { toInteger } from "./arguments.ts";
import { checkSize } from "./arithmetic.ts";
import { JinjaError } from "./jinja-error.ts";
import { str } from "./print.ts";
import {
  Callable,
  Dict,
  iterate,
  type Named,
  Namespace,
  sequenceItems,
  Undefined,
  type Value,
} from "./value.ts";

/** Thrown by a template's `raise_exception`. Its message is the template's own. */
export class RaisedError extends Error {
  override name = "RaisedError";
}

/** @returns the functions that every chat template can call */
export function globals(): [string, Value][] {
  const functions = {
    cycler: (args: readonly Value[]) => cycler(args),
    dict: (args: readonly Value[], named: Named) => dictOf(args, named),
    joiner: ([separator = ", "]: readonly Value[]) => joiner(separator),
    namespace: (args: readonly Value[], named: Named) => new Namespace(dictOf(args, named)),
    raise_exception: ([message = ""]: readonly Value[]) => {
      throw new RaisedError(str(message));
    },
    range: (args: readonly Value[]) => range(args),
    strftime_now: ([format = ""]: readonly Value[]) => strftime(str(format), new Date()),
  };
  return Object.entries(functions).map(([name, call]) => [name, new Callable(name, call)]);
}

function dictOf([from = null]: readonly Value[], named: Named): Dict {
  const entries = from instanceof Dict ? from.entries() : from === null ? [] : pairsOf(from);
  return new Dict([...entries, ...named]);
}

function pairsOf(value: Value): (readonly [Value, Value])[] {
  return iterate(value).map((pair) => {
    const [key, item] = sequenceItems(pair) ?? [];
    if (key === undefined || item === undefined) {
      throw new JinjaError("dict() expects pairs of a key and a value");
    }
    return [key, item];
  });
}

function range(args: readonly Value[]): Value {
  const numbers = args.map((value) => toInteger("range", value));
  const [start, stop, step = 1] = numbers.length === 1 ? [0, numbers[0]] : numbers;
  if (start === undefined || stop === undefined) throw new JinjaError("range() expects a number");
  if (step === 0) throw new JinjaError("range() arg 3 must not be zero");
  const length = Math.max(0, Math.ceil((stop - start) / step));
  checkSize(length);
  return Array.from({ length }, (_, i) => BigInt(start + i * step));
}

function cycler(items: readonly Value[]): Value {
  if (items.length === 0) throw new JinjaError("at least one item has to be provided");
  let at = 0;
  const next = new Callable("next", () => items[at++ % items.length] as Value);
  const reset = new Callable("reset", () => {
    at = 0;
    return null;
  });
  const attributes: Readonly<Record<string, () => Value>> = {
    next: () => next,
    reset: () => reset,
    current: () => items[at % items.length] as Value,
  };
  return new Callable("cycler", next.call, (name) => attributes[name]?.());
}

function joiner(separator: Value): Value {
  let used = false;
  return new Callable("joiner", () => {
    if (used) return separator;
    used = true;
    return "";
  });
}

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];

/** Formats a local time as C's `strftime` does in the C locale. */
function strftime(format: string, date: Date): string {
  return format.replaceAll(/%(-?)([a-zA-Z%])/g, (directive, minus: string, letter: string) => {
    const number = (value: number, digits = 2) => {
      return minus ? `${value}` : `${value}`.padStart(digits, "0");
    };
    const [day, month, hour] = [date.getDay(), date.getMonth(), date.getHours()];
    switch (letter) {
      case "a":
        return (DAYS[day] as string).slice(0, 3);
      case "A":
        return DAYS[day] as string;
      case "b":
      case "h":
        return (MONTHS[month] as string).slice(0, 3);
      case "B":
        return MONTHS[month] as string;
      case "d":
        return number(date.getDate());
      case "D":
        return strftime("%m/%d/%y", date);
      case "e":
        return `${date.getDate()}`.padStart(2);
      case "F":
        return strftime("%Y-%m-%d", date);
      case "H":
        return number(hour);
      case "I":
        return number(hour % 12 || 12);
      case "j":
        return number(dayOfYear(date), 3);
      case "m":
        return number(month + 1);
      case "M":
        return number(date.getMinutes());
      case "p":
        return hour < 12 ? "AM" : "PM";
      case "S":
        return number(date.getSeconds());
      case "T":
        return strftime("%H:%M:%S", date);
      case "u":
        return `${day || 7}`;
      case "w":
        return `${day}`;
      case "y":
        return number(date.getFullYear() % 100);
      case "Y":
        return `${date.getFullYear()}`;
      case "%":
        return "%";
    }
    return directive;
  });
}

function dayOfYear(date: Date): number {
  const start = Date.UTC(date.getFullYear(), 0, 1);
  const today = Date.UTC(date.getFullYear(), date.getMonth(), date.getDate());
  return Math.round((today - start) / 86_400_000) + 1;
}

/** @returns the attribute of a namespace that a template assigns to */
export function assignAttribute(object: Value | undefined, name: string, value: Value): void {
  if (object instanceof Undefined || object === undefined) {
    throw new JinjaError("cannot assign an attribute of an undefined variable");
  }
  if (!(object instanceof Namespace)) {
    throw new JinjaError("cannot assign attribute on non-namespace object");
  }
  object.attributes.set(name, value);
}
