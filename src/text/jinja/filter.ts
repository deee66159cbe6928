import { JinjaError } from "./jinja-error.ts";
import { type Named, typeName, Undefined, type Value } from "./value.ts";
/** A filter: the value before the `|`, and the arguments. */
export type JinjaFilter = (input: Value, args: readonly Value[], named: Named) => Value;

/** @returns the error for an input of the wrong type */
export function badInput(name: string, value: Value): JinjaError {
  if (value instanceof Undefined) return value.error;
  return new JinjaError(`the filter '${name}' can't take a value of type '${typeName(value)}'`);
}
