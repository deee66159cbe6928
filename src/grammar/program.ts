import type { Expression, Grammar } from "./expression.ts";
import { GrammarError } from "./grammar-error.ts";
import { utf8Ranges } from "./utf8-ranges.ts";

/** An instruction that matches bytes of a text. Its index in the program identifies it. */
export type Instruction =
  /** A byte from `low` to `high`. */
  | { readonly op: "byte"; readonly low: number; readonly high: number; readonly next: number }
  | { readonly op: "split"; readonly next: readonly number[] }
  /** Runs the instructions from `start` to their end, then `next`. */
  | { readonly op: "call"; start: number; readonly next: number }
  /** Runs the instructions from `start` to their end `min` to `max` times, then `next`. */
  | {
      readonly op: "loop";
      readonly start: number;
      readonly min: number;
      readonly max: number;
      readonly next: number;
    }
  /** Matches a text that satisfies all conditions, then `next`. */
  | {
      readonly op: "all";
      readonly conditions: readonly { readonly program: Program; readonly not: boolean }[];
      readonly next: number;
    }
  | { readonly op: "end" };

export interface Program {
  readonly instructions: readonly Instruction[];
  readonly start: number;
}

/** Index of the instruction that ends the text, a rule, or an iteration of a loop. */
export const END = 0;

export const NO_TEXT = "no text can match it";

/** An enumeration of 10,000 words has about 100,000. */
const MOST_INSTRUCTIONS = 1_000_000;

const UTF8 = new TextEncoder();

/**
 * Compiles a grammar. From every instruction of the program, some text matches.
 *
 * @throws GrammarError when no text matches, a rule is missing, a rule begins with itself, or the
 *   grammar is too large
 */
export function program(grammar: Grammar): Program {
  const { rules, root } = grammar;
  checkReferences(grammar);
  const matches = fixpoint(rules, matchesSome);
  if (!matchesSome(root, matches)) throw new GrammarError(NO_TEXT);
  const empty = fixpoint(rules, matchesEmpty);
  checkLeftRecursion(rules, empty);

  const instructions: Instruction[] = [{ op: "end" }];
  const add = (instruction: Instruction) => {
    if (instructions.length === MOST_INSTRUCTIONS) throw new GrammarError("it is too large");
    return instructions.push(instruction) - 1;
  };
  const calls: { call: Instruction & { op: "call" }; name: string }[] = [];
  /** Adds the instructions of an expression, which continue with `next`. */
  const build = (expression: Expression, next: number): number => {
    switch (expression.kind) {
      case "text":
        return UTF8.encode(expression.text).reduceRight(
          (after, byte) => add({ op: "byte", low: byte, high: byte, next: after }),
          next,
        );
      case "chars": {
        const starts = utf8Ranges(expression.ranges).map((bytes) =>
          bytes.reduceRight(
            (after, [low, high]) => add({ op: "byte", low, high, next: after }),
            next,
          ),
        );
        return starts.length === 1 ? (starts[0] as number) : add({ op: "split", next: starts });
      }
      case "sequence":
        return expression.parts.reduceRight((after, part) => build(part, after), next);
      case "choice": {
        const options = expression.options.filter((option) => matchesSome(option, matches));
        return add({ op: "split", next: options.map((option) => build(option, next)) });
      }
      case "repeat": {
        const { part, min, max } = expression;
        if (!matchesSome(part, matches)) return next;
        if (max === 1)
          return add({ op: "split", next: [build(part, next), ...(min ? [] : [next])] });
        return add({ op: "loop", start: build(part, END), min, max, next });
      }
      case "rule": {
        const call = { op: "call" as const, start: END, next };
        calls.push({ call, name: expression.name });
        return add(call);
      }
      case "all": {
        const conditions = expression.conditions.map(({ expression, not = false }) => ({
          program: program({ root: expression, rules: new Map() }),
          not,
        }));
        return add({ op: "all", conditions, next });
      }
    }
  };
  const start = build(root, END);
  const starts = new Map<string, number>();
  for (let pending; (pending = calls.pop());) {
    const { name, call } = pending;
    if (!starts.has(name)) starts.set(name, build(rules.get(name) as Expression, END));
    call.start = starts.get(name) as number;
  }
  return { instructions, start };
}

type Test = (expression: Expression, rules: ReadonlySet<string>) => boolean;

/** Finds the rules that pass a test, where the test of a rule depends on the rules that it uses. */
function fixpoint(rules: Grammar["rules"], test: Test): ReadonlySet<string> {
  const users = new Map<string, string[]>();
  for (const [name, body] of rules) {
    for (const used of namesIn(body)) users.set(used, [...(users.get(used) ?? []), name]);
  }
  const passed = new Set<string>();
  const untested = [...rules.keys()];
  for (let name; (name = untested.pop()) !== undefined;) {
    if (passed.has(name) || !test(rules.get(name) as Expression, passed)) continue;
    passed.add(name);
    for (const user of users.get(name) ?? []) untested.push(user);
  }
  return passed;
}

/** @param rules the rules that some text is known to match */
function matchesSome(expression: Expression, rules: ReadonlySet<string>): boolean {
  switch (expression.kind) {
    case "text":
      return true;
    case "chars":
      return expression.ranges.some(([first, last]) => first < 0xd800 || last > 0xdfff);
    case "sequence":
      return expression.parts.every((part) => matchesSome(part, rules));
    case "choice":
      return expression.options.some((option) => matchesSome(option, rules));
    case "repeat":
      return expression.min === 0 || matchesSome(expression.part, rules);
    case "rule":
      return rules.has(expression.name);
    case "all": // `isPossible` has checked it where it was made
      return true;
  }
}

/** @param rules the rules that the empty text is known to match */
function matchesEmpty(expression: Expression, rules: ReadonlySet<string>): boolean {
  switch (expression.kind) {
    case "text":
      return expression.text === "";
    case "chars":
      return false;
    case "sequence":
      return expression.parts.every((part) => matchesEmpty(part, rules));
    case "choice":
      return expression.options.some((option) => matchesEmpty(option, rules));
    case "repeat":
      return expression.min === 0 || matchesEmpty(expression.part, rules);
    case "rule":
      return rules.has(expression.name);
    case "all":
      return expression.conditions.every(
        ({ expression, not }) => not || matchesEmpty(expression, rules),
      );
  }
}

function checkReferences({ root, rules }: Grammar): void {
  for (const expression of [root, ...rules.values()]) {
    for (const name of namesIn(expression)) {
      if (!rules.has(name)) throw new GrammarError(`there is no rule '${name}'`);
    }
  }
}

function namesIn(expression: Expression): string[] {
  switch (expression.kind) {
    case "sequence":
      return expression.parts.flatMap(namesIn);
    case "choice":
      return expression.options.flatMap(namesIn);
    case "repeat":
      return namesIn(expression.part);
    case "rule":
      return [expression.name];
    default:
      return [];
  }
}

/** Following a rule that begins with itself would never end. */
function checkLeftRecursion(rules: Grammar["rules"], empty: ReadonlySet<string>): void {
  const done = new Set<string>();
  const open = new Set<string>();
  const visit = (name: string): void => {
    if (done.has(name)) return;
    if (open.has(name)) throw new GrammarError(`rule '${nameOf(name)}' begins with itself`);
    open.add(name);
    firstNames(rules.get(name) as Expression, empty).forEach(visit);
    open.delete(name);
    done.add(name);
  };
  for (const name of rules.keys()) visit(name);
}

/** @returns the rules that an expression may begin with */
function firstNames(expression: Expression, empty: ReadonlySet<string>): string[] {
  if (expression.kind !== "sequence") return namesAtStart(expression, empty);
  const names: string[] = [];
  for (const part of expression.parts) {
    names.push(...namesAtStart(part, empty));
    if (!matchesEmpty(part, empty)) break;
  }
  return names;
}

function namesAtStart(expression: Expression, empty: ReadonlySet<string>): string[] {
  switch (expression.kind) {
    case "sequence":
      return firstNames(expression, empty);
    case "choice":
      return expression.options.flatMap((option) => firstNames(option, empty));
    case "repeat":
      return firstNames(expression.part, empty);
    default:
      return namesIn(expression);
  }
}

/** @returns the name as the grammar's author wrote it */
function nameOf(rule: string): string {
  return rule.replace(/#\d+$/, "");
}
