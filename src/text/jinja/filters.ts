import type { JinjaFilter } from "./filter.ts";
import { JinjaError } from "./jinja-error.ts";
import { sequenceFilters } from "./sequence-filters.ts";
import { TESTS } from "./tests.ts";
import { TEXT_FILTERS } from "./text-filters.ts";
import type { Named, Value } from "./value.ts";

const FILTERS: Readonly<Record<string, JinjaFilter>> = {
  ...TEXT_FILTERS,
  ...sequenceFilters({ filterNamed, testNamed }),
};

const ALIASES: Readonly<Record<string, string>> = { d: "default", e: "escape", length: "count" };

/** @throws JinjaError for an unknown name */
export function filterNamed(name: string): JinjaFilter {
  const key = ALIASES[name] ?? name;
  if (Object.hasOwn(FILTERS, key)) return FILTERS[key] as JinjaFilter;
  throw new JinjaError(`No filter named '${name}'.`);
}

/** @throws JinjaError for an unknown name */
export function testNamed(
  name: string,
): (input: Value, args: readonly Value[], named: Named) => boolean {
  if (name === "filter" || name === "test") {
    const known: object = name === "filter" ? FILTERS : TESTS;
    return (input) => typeof input === "string" && Object.hasOwn(known, ALIASES[input] ?? input);
  }
  const test = Object.hasOwn(TESTS, name) ? TESTS[name] : undefined;
  if (!test) throw new JinjaError(`No test named '${name}'.`);
  return test;
}
