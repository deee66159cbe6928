import { Automaton } from "../src/grammar/automaton.ts";
import { compileGrammar } from "../src/grammar/compile-grammar.ts";
import { type Expression, Rules } from "../src/grammar/expression.ts";
import { program } from "../src/grammar/program.ts";
import type { GrammarSource } from "../src/grammar/source.ts";
import type { State } from "../src/grammar/state.ts";

const UTF8 = new TextEncoder();

/** @returns a function that tests whether a text matches, byte by byte as in the engine */
export function matcherOf(source: GrammarSource): (text: string) => boolean {
  return texts(new Automaton(compileGrammar(source)));
}

/** Does the same for an expression, with the rules that it adds. */
export function expressionMatcher(build: (rules: Rules) => Expression): (text: string) => boolean {
  const rules = new Rules();
  return texts(new Automaton(program({ root: build(rules), rules: rules.all })));
}

function texts(automaton: Automaton): (text: string) => boolean {
  return (text) => {
    let state: State | null = automaton.start();
    for (const byte of UTF8.encode(text)) {
      automaton.limit.restart();
      state = state && automaton.after(state, byte);
    }
    return state?.complete ?? false;
  };
}

/** @returns the message of the error that `run` throws */
export function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("messageOf: nothing was thrown");
}
