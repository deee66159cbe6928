import { JinjaError } from "./jinja-error.ts";
import type { Value } from "./value.ts";

/** The largest number of statements and expressions that one rendering may run. */
const MAX_STEPS = 5_000_000;

/** The largest number of macros and recursive loops that may be open at once. */
const MAX_DEPTH = 200;

/** Counts the work of one rendering, so that a hostile template ends. */
export class StepLimits {
  #steps = 0;
  #depth = 0;

  /** @throws JinjaError when the rendering has taken too many steps */
  step(line: number): void {
    if (++this.#steps > MAX_STEPS) {
      throw new JinjaError(`the template takes more than ${MAX_STEPS} steps`, line);
    }
  }

  /** Runs a macro or a recursive loop. @throws JinjaError when too many are open */
  nested<T>(run: () => T): T {
    if (this.#depth >= MAX_DEPTH) throw new JinjaError(`more than ${MAX_DEPTH} nested calls`);
    this.#depth++;
    try {
      return run();
    } finally {
      this.#depth--;
    }
  }
}

/** The variables of a block, and those of the blocks around it. */
export class Scope {
  readonly limits: StepLimits;
  readonly #parent: Scope | undefined;
  readonly #variables: Map<string, Value>;

  constructor(variables: Iterable<readonly [string, Value]>, limits: StepLimits, parent?: Scope) {
    this.limits = limits;
    this.#variables = new Map(variables);
    this.#parent = parent;
  }

  inner(variables: Iterable<readonly [string, Value]> = []): Scope {
    return new Scope(variables, this.limits, this);
  }

  get(name: string): Value | undefined {
    return this.#variables.has(name) ? this.#variables.get(name) : this.#parent?.get(name);
  }

  set(name: string, value: Value): void {
    this.#variables.set(name, value);
  }
}
