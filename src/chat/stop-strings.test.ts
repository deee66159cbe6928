import { describe, expect, test } from "vitest";
import { random } from "../../tests/seeded.ts";
import { StopStrings } from "./stop-strings.ts";

/** The texts that are returned for `pieces`. */
function pass(stops: string[], pieces: Iterable<string>): { texts: string[]; matched?: string } {
  const stopStrings = new StopStrings(stops);
  const texts = [];
  for (const piece of pieces) {
    const { text, matched } = stopStrings.push(piece);
    texts.push(text);
    if (matched !== undefined) return { texts, matched };
  }
  return { texts: [...texts, stopStrings.end()] };
}

/** The definition: the match that ends first, then the longest. */
function reference(stops: string[], text: string): { text: string; matched?: string } {
  for (let end = 1; end <= text.length; end++) {
    const ending = stops.filter((stop) => text.slice(0, end).endsWith(stop));
    const [matched] = ending.sort((a, b) => b.length - a.length);
    if (matched !== undefined) return { text: text.slice(0, end - matched.length), matched };
  }
  return { text };
}

describe("StopStrings", () => {
  test.each([
    ["no stop string", [], ["any", "thing"], ["any", "thing", ""], undefined],
    ["across two pieces", ["END"], ["the E", "ND of"], ["the ", ""], "END"],
    ["held back and returned", ["END"], ["the E", "nd"], ["the ", "End", ""], undefined],
    ["held back at the end", ["END"], ["the EN"], ["the ", "EN"], undefined],
    ["a start within a start", ["aab"], ["aa", "ab"], ["", "a"], "aab"],
    ["the stop string that ends first", ["abcd", "bc"], ["xabcd"], ["xa"], "bc"],
    ["the longest of several with the same end", ["c", "bc"], ["abc"], ["a"], "bc"],
    ["several characters at once", ["\n\n"], ["a\n\nb"], ["a"], "\n\n"],
  ])("%s", (_, stops, pieces, texts, matched) => {
    expect(pass(stops, pieces)).toEqual({ texts, ...(matched !== undefined && { matched }) });
  });

  test("returns the same text for any pieces, and no part of a stop string", () => {
    const next = random(7);
    const word = (length: number) => Array.from({ length }, () => "ab🐻"[next(4)]).join("");
    for (let round = 0; round < 3000; round++) {
      const stops = Array.from({ length: next(4) }, () => word(1 + next(4)));
      const text = word(next(24));
      const pieces = [];
      for (let at = 0; at < text.length;) {
        const length = next(5);
        pieces.push(text.slice(at, at + length));
        at += length;
      }
      const { texts, matched } = pass(stops, pieces);
      expect({ text: texts.join(""), ...(matched !== undefined && { matched }) }).toEqual(
        reference(stops, text),
      );
    }
  });
});
