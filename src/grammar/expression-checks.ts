import { Automaton } from "./automaton.ts";
import { type Expression, NOTHING } from "./expression.ts";
import { program } from "./program.ts";
import type { State } from "./state.ts";

/**
 * @param expression without rules
 * @returns whether some text matches; conditions may exclude one another
 */
export function isPossible(expression: Expression): boolean {
  if (expression === NOTHING) return false;
  const state = automatonOf(expression).start();
  return state.complete || state.threads.length > 0;
}

/**
 * @param expression without rules
 * @returns whether a text matches
 */
export function matches(expression: Expression, text: string): boolean {
  if (expression === NOTHING) return false;
  const automaton = automatonOf(expression);
  let state: State | null = automaton.start();
  for (const byte of new TextEncoder().encode(text)) state &&= automaton.after(state, byte);
  return state?.complete ?? false;
}

function automatonOf(expression: Expression): Automaton {
  return new Automaton(program({ root: expression, rules: new Map() }));
}
