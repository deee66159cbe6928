import { describe, expect, test } from "vitest";
import { expressionMatcher } from "../../tests/grammar-support.ts";
import { random } from "../../tests/seeded.ts";
import { type Range, chars, complement, intersection, union } from "./expression.ts";
import { utf8Ranges } from "./utf8-ranges.ts";

const BORDERS = [0, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xfffd, 0xffff, 0x10000, 0x10ffff];

describe("UTF-8 byte ranges", () => {
  test("match exactly the characters of the ranges", () => {
    const below = random(1);
    for (let round = 0; round < 200; round++) {
      const pick = () => (below(2) ? below(0x110000) : (BORDERS[below(BORDERS.length)] as number));
      const ranges = Array.from({ length: 1 + below(3) }, (): Range => {
        const [a, b] = [pick(), pick()];
        return [Math.min(a, b), Math.max(a, b)];
      });
      const matches = expressionMatcher(() => chars(...ranges, [0x61, 0x61]));
      const near = ranges.flat().flatMap((code) => [code - 1, code, code + 1]);
      for (const code of [...near, ...BORDERS, pick(), pick()]) {
        if (code < 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) continue;
        const among = ranges.some(([first, last]) => code >= first && code <= last);
        expect(matches(String.fromCodePoint(code)), `${code} in ${ranges.join(" ")}`).toBe(
          among || code === 0x61,
        );
      }
    }
  });

  test("cover Unicode with few sequences, and no surrogates", () => {
    expect(utf8Ranges([[0, 0x10ffff]])).toHaveLength(9);
    expect(utf8Ranges([[0xd800, 0xdfff]])).toEqual([]);
  });
});

test("union, complement and intersection of ranges", () => {
  const letters: Range[] = [
    [0x63, 0x65],
    [0x61, 0x62],
  ];
  expect(union(letters)).toEqual([[0x61, 0x65]]);
  expect(complement(complement(letters))).toEqual([[0x61, 0x65]]);
  expect(complement([[0, 0x10ffff]])).toEqual([]);
  expect(intersection(letters, [[0x65, 0x70]])).toEqual([[0x65, 0x65]]);
});
