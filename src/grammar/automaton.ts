import { Conjunction, type Joint } from "./conjunction.ts";
import { type Expression, NOTHING } from "./expression.ts";
import { END, type Program, type Instruction, program } from "./program.ts";

/** Where the matching of a text stands, all readings of it so far together. */
export interface State {
  readonly id: number;
  readonly readings: readonly Reading[];
  /** Whether the text may end here. */
  readonly complete: boolean;
  /** By byte: the state after it, null where it can't come; those not yet asked for are missing. */
  readonly next: (State | null | undefined)[];
}

/** A step that takes a byte, and what goes on when what it is in has ended. */
interface Reading {
  readonly step: number;
  readonly frame: Frame;
  /** Where a step of several conditions stands. */
  readonly joint?: Joint;
}

/** What goes on when a rule or a turn of a loop has ended; equal frames are the same object. */
interface Frame {
  readonly id: number;
  readonly step: number;
  /** Of a loop: turns that will have been made. Of a rule: none. */
  readonly turns: number | undefined;
  readonly outer: Frame | undefined;
}

/** States are forgotten when there are more: long answers would pile them up. */
const MAX_STATES = 4096;

/** Count on over all automata, so that nothing is ever taken for what was forgotten. */
let states = 0;
let frames = 0;

/**
 * Matches texts byte by byte. States are found as they are needed, and each but once: stepping
 * through bytes that were met before is a lookup.
 */
export class Automaton {
  readonly #program: Program;
  readonly #frames = new Map<string, Frame>();
  readonly #states = new Map<string, State>();
  /** Of the steps that have several conditions. */
  readonly #conjunctions = new Map<number, Conjunction>();
  readonly #outermost: Frame = { id: 0, step: END, turns: undefined, outer: undefined };

  constructor(program: Program) {
    this.#program = program;
  }

  /** The state before the first byte. */
  start(): State {
    const found = new Closure();
    this.#follow(found, { at: this.#program.start, frame: this.#outermost });
    return this.#state(found);
  }

  /** The state after a byte, null where it can't come. */
  after(state: State, byte: number): State | null {
    const known = state.next[byte];
    return known !== undefined ? known : this.#find(state, byte);
  }

  /** Forgets states if there are many; the result stands for `state` from then on. */
  trim(state: State): State {
    if (this.#states.size < MAX_STATES) return state;
    this.#states.clear();
    this.#frames.clear();
    return { ...state, next: [] };
  }

  #find(state: State, byte: number): State | null {
    const { steps } = this.#program;
    // All bytes between the same borders lead to the same state.
    let [from, to] = [0, 255];
    const found = new Closure();
    for (const { step: at, frame, joint } of state.readings) {
      if (joint) {
        [from, to] = [byte, byte];
        const after = this.#conjunction(at).after(joint, byte);
        if (after) this.#enter(found, at, frame, after);
        continue;
      }
      const { low, high, next } = steps[at] as Instruction & { op: "byte" };
      if (byte < low) to = Math.min(to, low - 1);
      else if (byte > high) from = Math.max(from, high + 1);
      else {
        from = Math.max(from, low);
        to = Math.min(to, high);
        this.#follow(found, { at: next, frame });
      }
    }
    const after = found.readings.size === 0 && !found.complete ? null : this.#state(found);
    for (let same = from; same <= to; same++) state.next[same] = after;
    return after;
  }

  #state({ readings, complete }: Closure): State {
    const keys = [...readings.keys()].sort();
    const key = `${complete}:${keys.join()}`;
    let state = this.#states.get(key);
    if (!state) {
      const sorted = keys.map((key) => readings.get(key) as Reading);
      state = { id: ++states, readings: sorted, complete, next: [] };
      this.#states.set(key, state);
    }
    return state;
  }

  /** Adds all readings that begin at a place. */
  #follow(found: Closure, ...todo: Place[]): void {
    const { steps } = this.#program;
    for (let next; (next = todo.pop());) {
      const { at, frame } = next;
      const key = `${at}/${frame.id}`;
      if (found.visited.has(key)) continue;
      found.visited.add(key);
      const step = steps[at] as Instruction;
      switch (step.op) {
        case "byte":
          found.readings.set(key, { step: at, frame });
          break;
        case "split":
          for (const option of step.next) todo.push({ at: option, frame });
          break;
        case "call":
          // The end of a rule that comes last in another is the end of that one too.
          todo.push({
            at: step.start,
            frame: step.next === END ? frame : this.#frame(step.next, undefined, frame),
          });
          break;
        case "loop":
          todo.push(...this.#turn(at, 0, frame));
          break;
        case "all": {
          const start = this.#conjunction(at).start();
          if (start) this.#enter(found, at, frame, start);
          break;
        }
        case "end":
          if (frame.outer === undefined) found.complete = true;
          else if (frame.turns === undefined) todo.push({ at: frame.step, frame: frame.outer });
          else todo.push(...this.#turn(frame.step, frame.turns, frame.outer));
      }
    }
  }

  /** Adds a reading within a step of several conditions, and those behind it if they all hold. */
  #enter(found: Closure, at: number, frame: Frame, joint: Joint): void {
    found.readings.set(`${at}/${frame.id}/${joint.id}`, { step: at, frame, joint });
    const { next } = this.#program.steps[at] as Instruction & { op: "all" };
    if (joint.complete) this.#follow(found, { at: next, frame });
  }

  /** What may come when a loop has made some turns. */
  #turn(at: number, turns: number, frame: Frame): Place[] {
    const { min, max, start, next } = this.#program.steps[at] as Instruction & { op: "loop" };
    const ways = turns >= min ? [{ at: next, frame }] : [];
    // Without a limit, turns beyond the least need no counting.
    const counted = max === Infinity ? Math.min(turns + 1, min) : turns + 1;
    if (turns < max) ways.push({ at: start, frame: this.#frame(at, counted, frame) });
    return ways;
  }

  #frame(step: number, turns: number | undefined, outer: Frame): Frame {
    const key = `${step}/${turns}/${outer.id}`;
    let frame = this.#frames.get(key);
    if (!frame) this.#frames.set(key, (frame = { id: ++frames, step, turns, outer }));
    return frame;
  }

  #conjunction(at: number): Conjunction {
    let conjunction = this.#conjunctions.get(at);
    if (!conjunction) {
      const { conditions } = this.#program.steps[at] as Instruction & { op: "all" };
      conjunction = new Conjunction(
        conditions.map(({ program, not }) => ({ automaton: new Automaton(program), not })),
      );
      this.#conjunctions.set(at, conjunction);
    }
    return conjunction;
  }
}

/** Whether some text matches an expression without rules: its conditions may exclude one another. */
export function isPossible(expression: Expression): boolean {
  if (expression === NOTHING) return false;
  const state = automatonOf(expression).start();
  return state.complete || state.readings.length > 0;
}

/** Whether a text matches an expression without rules. */
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

/** A step, and what goes on when what it is in has ended. */
interface Place {
  readonly at: number;
  readonly frame: Frame;
}

/** What can be reached without a byte. */
class Closure {
  readonly visited = new Set<string>();
  readonly readings = new Map<string, Reading>();
  complete = false;
}
