import { describe, expect, test } from "vitest";
import { random } from "../../tests/chat-support.ts";
import { StopStrings } from "./stop-strings.ts";

/** What comes through when `text` is pushed in `pieces`. */
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

/** By definition: the match that ends first, the longest of those. */
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
    ["no stop", [], ["any", "thing"], ["any", "thing", ""], undefined],
    ["over two pieces", ["END"], ["the E", "ND of"], ["the ", ""], "END"],
    ["held back and let go", ["END"], ["the E", "nd"], ["the ", "End", ""], undefined],
    ["held back at the end", ["END"], ["the EN"], ["the ", "EN"], undefined],
    ["a start within a start", ["aab"], ["aa", "ab"], ["", "a"], "aab"],
    ["the one that ends first", ["abcd", "bc"], ["xabcd"], ["xa"], "bc"],
    ["the longest of one end", ["c", "bc"], ["abc"], ["a"], "bc"],
    ["more than one character at once", ["\n\n"], ["a\n\nb"], ["a"], "\n\n"],
  ])("%s", (_, stops, pieces, texts, matched) => {
    expect(pass(stops, pieces)).toEqual({ texts, ...(matched !== undefined && { matched }) });
  });

  test("passes the same text however it is split, and nothing of a stop string", () => {
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
