import type { Expression, Grammar } from "./expression.ts";
import { GrammarError } from "./grammar-error.ts";
import { utf8Ranges } from "./utf8-ranges.ts";

/** One step of matching a text's bytes. Steps are known by their places in the program. */
export type Instruction =
  /** A byte from `low` to `high`. */
  | { readonly op: "byte"; readonly low: number; readonly high: number; readonly next: number }
  | { readonly op: "split"; readonly next: readonly number[] }
  /** What begins at `start`, up to its end; then `next`. */
  | { readonly op: "call"; start: number; readonly next: number }
  /** What begins at `start`, `min` to `max` times; then `next`. */
  | {
      readonly op: "loop";
      readonly start: number;
      readonly min: number;
      readonly max: number;
      readonly next: number;
    }
  /** What all conditions hold of; then `next`. */
  | {
      readonly op: "all";
      readonly conditions: readonly { readonly program: Program; readonly not: boolean }[];
      readonly next: number;
    }
  | { readonly op: "end" };

export interface Program {
  readonly steps: readonly Instruction[];
  readonly start: number;
}

/** The place of the step that ends the text, a rule, or a turn of a loop. */
export const END = 0;

export const NO_TEXT = "no text can match it";

const UTF8 = new TextEncoder();

/**
 * The steps that match a grammar. From each of them on, some text matches.
 *
 * @throws GrammarError when no text matches, a rule is missing, or one begins with itself
 */
export function program(grammar: Grammar): Program {
  const { rules, root } = grammar;
  checkReferences(grammar);
  const matches = fixpoint(rules, matchesSome);
  if (!matchesSome(root, matches)) throw new GrammarError(NO_TEXT);
  const empty = fixpoint(rules, matchesEmpty);
  checkLeftRecursion(rules, empty);

  const steps: Instruction[] = [{ op: "end" }];
  const add = (step: Instruction) => steps.push(step) - 1;
  const calls: { step: Instruction & { op: "call" }; name: string }[] = [];
  /** The steps of an expression, then `next`. */
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
        const step = { op: "call" as const, start: END, next };
        calls.push({ step, name: expression.name });
        return add(step);
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
  for (let call; (call = calls.pop());) {
    const { name, step } = call;
    if (!starts.has(name)) starts.set(name, build(rules.get(name) as Expression, END));
    step.start = starts.get(name) as number;
  }
  return { steps, start };
}

type Test = (expression: Expression, rules: ReadonlySet<string>) => boolean;

/** The rules that pass a test which depends on the rules that they refer to. */
function fixpoint(rules: Grammar["rules"], test: Test): ReadonlySet<string> {
  const passed = new Set<string>();
  for (let before = -1; before < passed.size;) {
    before = passed.size;
    for (const [name, body] of rules) {
      if (!passed.has(name) && test(body, passed)) passed.add(name);
    }
  }
  return passed;
}

/** Whether any text matches, given the rules that some text is known to match. */
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
    case "all": // whoever makes one sees to it
      return true;
  }
}

/** Whether the empty text may match, given the rules that it may match. */
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

/** A rule that begins with itself would be begun for ever. */
function checkLeftRecursion(rules: Grammar["rules"], empty: ReadonlySet<string>): void {
  const done = new Set<string>();
  const under = new Set<string>();
  const visit = (name: string): void => {
    if (done.has(name)) return;
    if (under.has(name)) throw new GrammarError(`rule '${nameOf(name)}' begins with itself`);
    under.add(name);
    firstNames(rules.get(name) as Expression, empty).forEach(visit);
    under.delete(name);
    done.add(name);
  };
  for (const name of rules.keys()) visit(name);
}

/** The rules that an expression may begin with. */
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

/** As whoever wrote it knows it. */
function nameOf(rule: string): string {
  return rule.replace(/#\d+$/, "");
}
