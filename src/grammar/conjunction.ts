import type { State } from "./automaton.ts";

/** What steps from state to state. */
interface Stepper {
  start(): State;
  after(state: State, byte: number): State | null;
}

/** One of several things that must hold of a text: that it matches, or that it does not. */
export interface Condition {
  readonly automaton: Stepper;
  readonly not: boolean;
}

/** Where all the conditions of a text stand together; equal ones are the same object. */
export interface Joint {
  readonly id: number;
  /** By condition; null: the text can't come to match any more. */
  readonly states: readonly (State | null)[];
  /** Whether all conditions hold if the text ends here. */
  readonly complete: boolean;
  /** By byte, those not yet asked for missing; some of them may lead nowhere. */
  readonly next: (Joint | null | undefined)[];
  /** Whether all conditions can still come to hold; undefined: not known. */
  alive: boolean | undefined;
}

/**
 * Follows several conditions on one text. A text that fulfils each of them so far may still be unable
 * to fulfil all in the end, so that what comes next is looked ahead for.
 */
export class Conjunction {
  readonly #conditions: readonly Condition[];
  readonly #joints = new Map<string, Joint>();

  constructor(conditions: readonly Condition[]) {
    this.#conditions = conditions;
  }

  /** Before the first byte; null where no text fulfils all conditions. */
  start(): Joint | null {
    return this.#ifAlive(this.#joint(this.#conditions.map(({ automaton }) => automaton.start())));
  }

  /** After a byte, null where it can't come. */
  after(joint: Joint, byte: number): Joint | null {
    return this.#ifAlive(this.#step(joint, byte));
  }

  #step(joint: Joint, byte: number): Joint | null {
    const known = joint.next[byte];
    if (known !== undefined) return known;
    const states = this.#conditions.map(({ automaton }, i) => {
      const state = joint.states[i] as State | null;
      return state && automaton.after(state, byte);
    });
    return (joint.next[byte] = this.#joint(states));
  }

  #joint(states: readonly (State | null)[]): Joint | null {
    const fails = this.#conditions.some(({ not }, i) => !not && states[i] === null);
    if (fails) return null;
    const key = states.map((state) => state?.id ?? "").join();
    let joint = this.#joints.get(key);
    if (!joint) {
      const complete = this.#conditions.every(
        ({ not }, i) => (states[i]?.complete ?? false) !== not,
      );
      const alive = complete || undefined;
      joint = { id: this.#joints.size, states, complete, next: [], alive };
      this.#joints.set(key, joint);
    }
    return joint;
  }

  #ifAlive(joint: Joint | null): Joint | null {
    if (joint === null) return null;
    if (joint.alive === undefined) this.#search(joint);
    return joint.alive ? joint : null;
  }

  /** Looks for a way on which all conditions come to hold, and keeps what it learns. */
  #search(from: Joint): void {
    const cameFrom = new Map<Joint, Joint | undefined>([[from, undefined]]);
    for (const joint of cameFrom.keys()) {
      if (joint.alive) {
        for (let on: Joint | undefined = joint; on; on = cameFrom.get(on)) on.alive = true;
        return;
      }
      for (let byte = 0; byte < 256; byte++) {
        const next = this.#step(joint, byte);
        if (next && next.alive !== false && !cameFrom.has(next)) cameFrom.set(next, joint);
      }
    }
    for (const joint of cameFrom.keys()) joint.alive = false;
  }
}
