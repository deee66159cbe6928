import { Conjunction } from "./conjunction.ts";
import { END, type Instruction, type Program } from "./program.ts";
import type { ProductState, StackFrame, State, Thread } from "./state.ts";
import { WorkLimit } from "./work-limit.ts";

/** An automaton forgets its states beyond this number, so that long answers don't fill the memory. */
const MAX_STATES = 4096;

/** Ids are unique across all automata, so that a forgotten id never returns for something else. */
let lastStateId = 0;
let lastFrameId = 0;

/**
 * Matches texts byte by byte. A state is computed when it is first reached; reaching it again is a
 * lookup. Computing states throws a GrammarError once `limit` is reached.
 */
export class Automaton {
  readonly #program: Program;
  readonly #frames = new Map<string, StackFrame>();
  readonly #states = new Map<string, State>();
  /** By index of the instruction that has several conditions. */
  readonly #conjunctions = new Map<number, Conjunction>();
  readonly #outermost: StackFrame = { id: 0, at: END, iterations: undefined, outer: undefined };

  readonly limit: WorkLimit;

  constructor(program: Program, limit = new WorkLimit()) {
    this.#program = program;
    this.limit = limit;
  }

  /** The state before the first byte. */
  start(): State {
    const found = new EpsilonClosure();
    this.#follow(found, { at: this.#program.start, stack: this.#outermost });
    return this.#state(found);
  }

  /** @returns the state after a byte, or null where no match is possible */
  after(state: State, byte: number): State | null {
    const known = state.next[byte];
    return known !== undefined ? known : this.#compute(state, byte);
  }

  /** Forgets all states if there are many. The returned state replaces `state`. */
  trim(state: State): State {
    if (this.#states.size < MAX_STATES) return state;
    this.#states.clear();
    this.#frames.clear();
    return { ...state, next: [] };
  }

  #compute(state: State, byte: number): State | null {
    const { instructions } = this.#program;
    // All bytes from `from` to `to` lead to the same state.
    let [from, to] = [0, 255];
    const found = new EpsilonClosure();
    for (const { at, stack, product } of state.threads) {
      if (product) {
        [from, to] = [byte, byte];
        const after = this.#conjunction(at).after(product, byte);
        if (after) this.#enter(found, at, stack, after);
        continue;
      }
      const { low, high, next } = instructions[at] as Instruction & { op: "byte" };
      if (byte < low) to = Math.min(to, low - 1);
      else if (byte > high) from = Math.max(from, high + 1);
      else {
        from = Math.max(from, low);
        to = Math.min(to, high);
        this.#follow(found, { at: next, stack });
      }
    }
    const after = found.threads.size === 0 && !found.complete ? null : this.#state(found);
    for (let same = from; same <= to; same++) state.next[same] = after;
    return after;
  }

  #state({ threads, complete }: EpsilonClosure): State {
    const keys = [...threads.keys()].sort();
    const key = `${complete}:${keys.join()}`;
    let state = this.#states.get(key);
    if (!state) {
      const sorted = keys.map((key) => threads.get(key) as Thread);
      state = { id: ++lastStateId, threads: sorted, complete, next: [] };
      this.#states.set(key, state);
    }
    return state;
  }

  /** Adds every thread that the given positions reach without a byte. */
  #follow(found: EpsilonClosure, ...todo: Position[]): void {
    const { instructions } = this.#program;
    for (let position; (position = todo.pop());) {
      const { at, stack } = position;
      const key = `${at}/${stack.id}`;
      if (found.visited.has(key)) continue;
      found.visited.add(key);
      this.limit.count();
      const instruction = instructions[at] as Instruction;
      switch (instruction.op) {
        case "byte":
          found.threads.set(key, { at, stack });
          break;
        case "split":
          for (const option of instruction.next) todo.push({ at: option, stack });
          break;
        case "call": {
          const { start, next } = instruction;
          // A tail call needs no frame: the end of this rule is the end of the outer rule, too.
          todo.push({
            at: start,
            stack: next === END ? stack : this.#frame(next, undefined, stack),
          });
          break;
        }
        case "loop":
          todo.push(...this.#iterate(at, 0, stack));
          break;
        case "all": {
          const start = this.#conjunction(at).start();
          if (start) this.#enter(found, at, stack, start);
          break;
        }
        case "end":
          if (stack.outer === undefined) found.complete = true;
          else if (stack.iterations === undefined) todo.push({ at: stack.at, stack: stack.outer });
          else todo.push(...this.#iterate(stack.at, stack.iterations, stack.outer));
      }
    }
  }

  /** Adds a thread within several conditions and, where they all hold, the threads after them. */
  #enter(found: EpsilonClosure, at: number, stack: StackFrame, product: ProductState): void {
    found.threads.set(`${at}/${stack.id}/${product.id}`, { at, stack, product });
    const { next } = this.#program.instructions[at] as Instruction & { op: "all" };
    if (product.complete) this.#follow(found, { at: next, stack });
  }

  /** @returns the positions that may follow a number of iterations of a loop */
  #iterate(at: number, iterations: number, stack: StackFrame): Position[] {
    const { min, max, start, next } = this.#program.instructions[at] as Instruction & {
      op: "loop";
    };
    const positions = iterations >= min ? [{ at: next, stack }] : [];
    // Without an upper limit, iterations beyond the minimum need no counting.
    const counted = max === Infinity ? Math.min(iterations + 1, min) : iterations + 1;
    if (iterations < max) positions.push({ at: start, stack: this.#frame(at, counted, stack) });
    return positions;
  }

  #frame(at: number, iterations: number | undefined, outer: StackFrame): StackFrame {
    const key = `${at}/${iterations}/${outer.id}`;
    let frame = this.#frames.get(key);
    if (!frame) this.#frames.set(key, (frame = { id: ++lastFrameId, at, iterations, outer }));
    return frame;
  }

  #conjunction(at: number): Conjunction {
    let conjunction = this.#conjunctions.get(at);
    if (!conjunction) {
      const { conditions } = this.#program.instructions[at] as Instruction & { op: "all" };
      conjunction = new Conjunction(
        conditions.map(({ program, not }) => ({
          automaton: new Automaton(program, this.limit),
          not,
        })),
        this.limit,
      );
      this.#conjunctions.set(at, conjunction);
    }
    return conjunction;
  }
}

/** An instruction, and the stack of what follows it. */
interface Position {
  readonly at: number;
  readonly stack: StackFrame;
}

/** The threads that can be reached without a byte. */
class EpsilonClosure {
  readonly visited = new Set<string>();
  readonly threads = new Map<string, Thread>();
  complete = false;
}
