import { JinjaError } from "./jinja-error.ts";
import { integerOf, type Named, type Value } from "./value.ts";

/**
 * Assigns the arguments of a call to parameters by position and name, as Python does.
 *
 * @param required the number of parameters without a default
 * @returns one value per parameter, undefined where it takes its default
 * @throws JinjaError for missing, repeated, unknown and surplus arguments
 */
export function bind(
  name: string,
  parameters: readonly string[],
  args: readonly Value[],
  named: Named = new Map(),
  required = 0,
): (Value | undefined)[] {
  if (args.length > parameters.length) {
    throw new JinjaError(
      `${name}() takes at most ${parameters.length} arguments (${args.length} given)`,
    );
  }
  const bound: (Value | undefined)[] = parameters.map((_, i) => args[i]);
  for (const [key, value] of named) {
    const at = parameters.indexOf(key);
    if (at < 0) throw new JinjaError(`${name}() got an unexpected keyword argument '${key}'`);
    if (bound[at] !== undefined) {
      throw new JinjaError(`${name}() got multiple values for argument '${key}'`);
    }
    bound[at] = value;
  }
  const missing = bound.findIndex((value, i) => i < required && value === undefined);
  if (missing >= 0) {
    throw new JinjaError(`${name}() missing required argument '${parameters[missing]}'`);
  }
  return bound;
}

/** @throws JinjaError where a value is not an int */
export function toInteger(name: string, value: Value): number {
  const integer = integerOf(value);
  if (integer === undefined) throw new JinjaError(`${name}() expects an integer`);
  return Number(integer);
}

/** @throws JinjaError where a value is not a string */
export function toText(name: string, value: Value): string {
  if (typeof value === "string") return value;
  throw new JinjaError(`${name}() expects a string`);
}
