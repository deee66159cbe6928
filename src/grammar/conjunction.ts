import type { ProductState, State } from "./state.ts";
import type { WorkLimit } from "./work-limit.ts";

/** The part of an automaton that a conjunction uses. */
interface Stepper {
  start(): State;
  after(state: State, byte: number): State | null;
}

/** A condition on a text: that an automaton accepts it or, with `not`, that it does not. */
interface AutomatonCondition {
  readonly automaton: Stepper;
  readonly not: boolean;
}

/** What a new state costs, with the search for the states after each byte. */
const STATE_WORK = 50;

/**
 * Follows several conditions on one text. A text that satisfies each condition so far may still be
 * unable to satisfy all of them in the end, so a conjunction looks ahead.
 */
export class Conjunction {
  readonly #conditions: readonly AutomatonCondition[];
  readonly #states = new Map<string, ProductState>();

  readonly #limit: WorkLimit;

  constructor(conditions: readonly AutomatonCondition[], limit: WorkLimit) {
    this.#conditions = conditions;
    this.#limit = limit;
  }

  /** @returns the state before the first byte, or null where no text satisfies all conditions */
  start(): ProductState | null {
    return this.#ifAlive(this.#state(this.#conditions.map(({ automaton }) => automaton.start())));
  }

  /** @returns the state after a byte, or null where no match is possible */
  after(state: ProductState, byte: number): ProductState | null {
    return this.#ifAlive(this.#step(state, byte));
  }

  #step(product: ProductState, byte: number): ProductState | null {
    const known = product.next[byte];
    if (known !== undefined) return known;
    const states = this.#conditions.map(({ automaton }, i) => {
      const state = product.states[i] as State | null;
      return state && automaton.after(state, byte);
    });
    return (product.next[byte] = this.#state(states));
  }

  #state(states: readonly (State | null)[]): ProductState | null {
    const fails = this.#conditions.some(({ not }, i) => !not && states[i] === null);
    if (fails) return null;
    const key = states.map((state) => state?.id ?? "").join();
    let product = this.#states.get(key);
    if (!product) {
      this.#limit.count(STATE_WORK);
      const complete = this.#conditions.every(
        ({ not }, i) => (states[i]?.complete ?? false) !== not,
      );
      const alive = complete || undefined;
      product = { id: this.#states.size, states, complete, next: [], alive };
      this.#states.set(key, product);
    }
    return product;
  }

  #ifAlive(product: ProductState | null): ProductState | null {
    if (product === null) return null;
    if (product.alive === undefined) this.#search(product);
    return product.alive ? product : null;
  }

  /** Searches for a text after which all conditions hold, and records which states are alive. */
  #search(from: ProductState): void {
    const cameFrom = new Map<ProductState, ProductState | undefined>([[from, undefined]]);
    for (const product of cameFrom.keys()) {
      if (product.alive) {
        let ancestor: ProductState | undefined = product;
        for (; ancestor; ancestor = cameFrom.get(ancestor)) ancestor.alive = true;
        return;
      }
      for (let byte = 0; byte < 256; byte++) {
        const next = this.#step(product, byte);
        if (next && next.alive !== false && !cameFrom.has(next)) cameFrom.set(next, product);
      }
    }
    for (const product of cameFrom.keys()) product.alive = false;
  }
}
