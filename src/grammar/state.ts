/** The state of matching a text: every thread that the bytes so far allow. */
export interface State {
  readonly id: number;
  readonly threads: readonly Thread[];
  /** Whether the text may end here. */
  readonly complete: boolean;
  /** The state after each byte: null where no match is possible, missing where not yet computed. */
  readonly next: (State | null | undefined)[];
}

/** An instruction that takes a byte, and the stack of what follows it. */
export interface Thread {
  /** Index of the instruction. */
  readonly at: number;
  readonly stack: StackFrame;
  /** The state within an instruction of several conditions. */
  readonly product?: ProductState;
}

/** What follows the end of a rule or of one iteration of a loop. Equal frames are one object. */
export interface StackFrame {
  readonly id: number;
  /** Index of the instruction that follows a rule, or of the loop. */
  readonly at: number;
  /** The loop's iterations so far, this one included. Undefined for a rule. */
  readonly iterations: number | undefined;
  readonly outer: StackFrame | undefined;
}

/** The states of several conditions on one text together. Equal product states are one object. */
export interface ProductState {
  readonly id: number;
  /** One state per condition; null where the text can no longer match. */
  readonly states: readonly (State | null)[];
  /** Whether all conditions hold if the text ends here. */
  readonly complete: boolean;
  /** The product state after each byte, missing where not yet computed. It may be a dead end. */
  readonly next: (ProductState | null | undefined)[];
  /** Whether all conditions can still become true; undefined where not yet known. */
  alive: boolean | undefined;
}
