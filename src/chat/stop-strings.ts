import { partialMatchStart } from "./partial-match.ts";

/** The text before a stop string, and the stop string once it was found. */
export interface PassedText {
  readonly text: string;
  readonly matched?: string;
}

/**
 * Finds the first stop string in a text that arrives in pieces. It returns no part of a stop string,
 * so it holds back the end of the text while that may be the beginning of one.
 */
export class StopStrings {
  readonly #stops: readonly string[];
  #held = "";

  /** @param stops non-empty strings; the one that ends first wins */
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

  /** @returns the text that was held back; call it once the text has ended */
  end(): string {
    const held = this.#held;
    this.#held = "";
    return held;
  }

  /** The match that ends first, then the longest, so that the result does not depend on the pieces. */
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
