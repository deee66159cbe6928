import { partialMatchStart } from "./partial-match.ts";

/** What a `StopStrings` lets through, and the stop string that ended it. */
export interface PassedText {
  readonly text: string;
  readonly matched?: string;
}

/**
 * Finds the first stop string in a text that comes in pieces. Nothing of a stop string is let
 * through, so the end of the text is held back for as long as it could begin one.
 */
export class StopStrings {
  readonly #stops: readonly string[];
  #held = "";

  /** @param stops not empty strings; the one that is complete first ends the text */
  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  push(text: string): PassedText {
    if (this.#stops.length === 0) return { text };
    const buffer = this.#held + text;
    const match = this.#first(buffer);
    if (match !== undefined) {
      this.#held = "";
      return { text: buffer.slice(0, match.start), matched: match.stop };
    }
    const keep = partialMatchStart(buffer, this.#stops);
    this.#held = buffer.slice(keep);
    return { text: buffer.slice(0, keep) };
  }

  /** Returns what was held back, when no more text comes. */
  end(): string {
    const held = this.#held;
    this.#held = "";
    return held;
  }

  /** The match that ends first, and the longest of those, so that pieces make no difference. */
  #first(buffer: string): { start: number; stop: string } | undefined {
    let best: { start: number; end: number; stop: string } | undefined;
    for (const stop of this.#stops) {
      const start = buffer.indexOf(stop);
      const end = start + stop.length;
      if (start < 0 || (best && end > best.end)) continue;
      if (!best || end < best.end || start < best.start) best = { start, end, stop };
    }
    return best;
  }
}
