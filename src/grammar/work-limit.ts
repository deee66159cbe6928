import { GrammarError } from "./grammar-error.ts";

/** Positions that an automaton visits in a fraction of a second: enough to start any usual grammar. */
const MOST_TO_START = 200_000;

/** For the mask of one state, whose computation may visit every token of a large vocabulary. */
const MOST_PER_MASK = 2_000_000;

/**
 * Counts the positions that an automaton visits. Some grammars have so many ways to match a text that
 * following all of them would keep the processor busy for minutes.
 */
export class WorkLimit {
  #left = MOST_TO_START;

  /** Begins to count anew, before a mask is computed. */
  restart(): void {
    this.#left = MOST_PER_MASK;
  }

  /** @throws GrammarError when the limit is reached */
  count(work = 1): void {
    this.#left -= work;
    if (this.#left < 0) {
      throw new GrammarError(
        "it is too large: there are too many ways in which a text may match it",
      );
    }
  }
}
