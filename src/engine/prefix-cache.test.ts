import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PAGE_TOKENS } from "../ops/cache.ts";
import { NoPagesError, PrefixCache, type RowContent, type Sequence } from "./prefix-cache.ts";

/** `count` rows. Rows of the same letter have a common prefix. */
const rowsOf = (letter: string, count: number): RowContent[] =>
  Array.from({ length: count }, (_, i) => letter.charCodeAt(0) * 100_000 + i);

/** Runs a request that computes all of `rows`. Returns how many of them were cached. */
function run(cache: PrefixCache, rows: readonly RowContent[], salt?: string): number {
  const sequence = cache.begin(rows, salt);
  const found = sequence.computed;
  cache.reserve(sequence, rows.length);
  sequence.computed = rows.length;
  cache.end(sequence);
  return found;
}

describe("a running sequence", () => {
  test("shares what it has computed, and copies nothing when it runs on", () => {
    const cache = new PrefixCache(4);
    const first = cache.begin(rowsOf("a", 100));
    cache.reserve(first, 100);
    first.computed = 80;
    expect([cache.roomPages, cache.missingPages(rowsOf("a", 200), 200)]).toEqual([2, 3]);
    const second = cache.begin(rowsOf("a", 100));
    expect(second.computed).toBe(80);
    expect(cache.reserve(second, 100)).toEqual({ from: first.pages[1], to: second.pages[1] });
    expect(second.pages[0]).toBe(first.pages[0]);
    expect(cache.reserve(first, 101)).toBeUndefined();
    expect(cache.roomPages).toBe(1);
    expect(() => cache.reserve(first, 300)).toThrow(NoPagesError);
    // Nothing has changed.
    expect(first.pages).toHaveLength(2);
    for (const sequence of [first, second]) cache.end(sequence);
    expect(cache.roomPages).toBe(4);
  });

  test("shares nothing with others after clear, or where nothing is shared", () => {
    const cache = new PrefixCache(4);
    const first = cache.begin(rowsOf("a", 100));
    cache.reserve(first, 100);
    first.computed = 100;
    cache.clear();
    expect(cache.begin(rowsOf("a", 100)).computed).toBe(0);
    const unshared = new PrefixCache(4, { shares: false });
    expect([run(unshared, rowsOf("a", 100)), run(unshared, rowsOf("a", 100))]).toEqual([0, 0]);
    expect(unshared.freePages).toBe(4);
  });

  test("that has ended is resumed with the rows that are left of it", () => {
    const cache = new PrefixCache(4);
    const rows = rowsOf("a", 150);
    const first = cache.begin(rows);
    cache.reserve(first, 150);
    first.computed = 149;
    cache.end(first);
    run(cache, rowsOf("b", 100));
    expect(cache.resume(first, rows)).toBe(true);
    expect([first.computed, first.rows.length, cache.roomPages]).toEqual([128, 150, 2]);
    cache.reserve(first, 150);
    cache.end(first);
    run(cache, rowsOf("c", 256));
    expect(cache.resume(first, rows)).toBe(false);
  });
});

describe("begin", () => {
  test("finds what an earlier sequence computed, except its own last row", () => {
    const cache = new PrefixCache(8);
    const prompt = rowsOf("a", 100);
    expect(run(cache, prompt)).toBe(0);
    expect(run(cache, prompt)).toBe(99);
    expect(run(cache, [...prompt, ...rowsOf("b", 30)])).toBe(100);
    expect(run(cache, [...prompt, ...rowsOf("c", 30)])).toBe(100);
    expect(run(cache, [...prompt, ...rowsOf("b", 40)])).toBe(130);
    expect(run(cache, rowsOf("a", 10))).toBe(9);
    expect(run(cache, rowsOf("d", 10))).toBe(0);
  });

  test("finds each of two alternating conversations", () => {
    const cache = new PrefixCache(8);
    const ask = (letter: string, count: number) => run(cache, rowsOf(letter, count));
    expect([ask("a", 70), ask("b", 90)]).toEqual([0, 0]);
    expect([ask("a", 110), ask("b", 130)]).toEqual([70, 90]);
    expect([ask("a", 150), ask("b", 170)]).toEqual([110, 130]);
  });

  test("finds nothing under another salt", () => {
    const cache = new PrefixCache(8);
    run(cache, rowsOf("a", 100), "mine");
    expect(run(cache, rowsOf("a", 100))).toBe(0);
    expect(run(cache, rowsOf("a", 100), "yours")).toBe(0);
    expect(run(cache, rowsOf("a", 100), "mine")).toBe(99);
  });

  test("finds only the computed rows of an aborted sequence", () => {
    const cache = new PrefixCache(8);
    const sequence = cache.begin(rowsOf("a", 200));
    cache.reserve(sequence, 200);
    sequence.computed = 128;
    cache.end(sequence);
    expect(cache.freePages).toBe(6);
    expect(cache.begin(rowsOf("a", 200)).computed).toBe(128);
  });

  test("finds nothing after clear, not even a sequence that ended later", () => {
    const cache = new PrefixCache(8);
    run(cache, rowsOf("a", 100));
    const sequence = cache.begin(rowsOf("a", 120));
    cache.reserve(sequence, 120);
    cache.clear();
    sequence.computed = 120;
    cache.end(sequence);
    expect(cache.freePages).toBe(8);
    expect(run(cache, rowsOf("a", 100))).toBe(0);
  });
});

describe("with wholePages", () => {
  test("a found prefix ends with a page, and no page is copied", () => {
    const cache = new PrefixCache(8, { wholePages: true });
    const prompt = rowsOf("a", 200);
    expect([run(cache, prompt), run(cache, prompt)]).toEqual([0, 192]);
    for (const length of [63, 64, 65, 128, 129, 191, 192, 193]) {
      const other = [...rowsOf("a", length), ...rowsOf("b", 20)];
      const sequence = cache.begin(other);
      expect(sequence.computed).toBe(length - (length % 64));
      expect(sequence.pages).toHaveLength(sequence.computed / 64);
      expect(cache.reserve(sequence, other.length)).toBeUndefined();
      cache.end(sequence);
    }
    expect(run(cache, rowsOf("a", 192))).toBe(128);
    expect(run(cache, rowsOf("a", 10))).toBe(0);
  });

  test("a page that is not full is freed when its sequence ends", () => {
    const cache = new PrefixCache(8, { wholePages: true });
    run(cache, rowsOf("a", 63));
    expect(cache.freePages).toBe(8);
    run(cache, rowsOf("a", 130));
    expect(cache.freePages).toBe(6);
    expect(run(cache, rowsOf("a", 300))).toBe(128);
    expect(cache.freePages).toBe(4);
  });
});

describe("pages", () => {
  test("are shared when full, and copied before a sequence writes to them", () => {
    const cache = new PrefixCache(8);
    run(cache, rowsOf("a", 100));
    const [b, c] = ["b", "c"].map((letter) => {
      const sequence = cache.begin([...rowsOf("a", 90), ...rowsOf(letter, 100)]);
      const partial = sequence.pages[1];
      const copy = cache.reserve(sequence, 91);
      expect(copy).toEqual({ from: partial, to: sequence.pages[1] });
      expect(copy?.to).not.toBe(copy?.from);
      return sequence;
    });
    expect(b?.pages[0]).toBe(c?.pages[0]);
    expect(b?.pages[1]).not.toBe(c?.pages[1]);
    // Once copied, the page is not shared.
    expect(b && cache.reserve(b, 190)).toBeUndefined();
    expect(b?.pages).toHaveLength(3);
  });

  test("are evicted from the end of the least recently used sequence", () => {
    const cache = new PrefixCache(6);
    run(cache, rowsOf("a", 128));
    run(cache, rowsOf("b", 128));
    run(cache, rowsOf("c", 128));
    expect(cache.begin(rowsOf("a", 128)).computed).toBe(127);
    run(cache, rowsOf("d", 64));
    expect(cache.begin(rowsOf("b", 128)).computed).toBe(64);
    expect(cache.begin(rowsOf("c", 128)).computed).toBe(127);
  });

  test("of the prefix that a sequence starts with are evicted last", () => {
    const cache = new PrefixCache(4);
    run(cache, rowsOf("a", 100));
    run(cache, rowsOf("b", 100));
    const sequence = cache.begin([...rowsOf("a", 90), ...rowsOf("c", 30)]);
    cache.reserve(sequence, 120);
    expect(cache.begin(rowsOf("b", 100)).computed).toBe(64);
    expect(cache.begin(rowsOf("a", 100)).computed).toBe(99);
  });

  test("all go to one sequence that needs them, its own prefix included", () => {
    const cache = new PrefixCache(4);
    run(cache, rowsOf("a", 250));
    const sequence = cache.begin([...rowsOf("a", 200), ...rowsOf("b", 56)]);
    expect(sequence.computed).toBe(200);
    const [, , , partial] = sequence.pages;
    // No page is left for a copy, but the page is not shared any more either.
    expect(cache.reserve(sequence, 256)).toBeUndefined();
    expect(sequence.pages[3]).toBe(partial);
    expect(new Set(sequence.pages).size).toBe(4);
    expect(() => cache.reserve(sequence, 257)).toThrow("running sequences hold all 4 pages");
  });

  test("of a conversation that grows are not cached twice", () => {
    const cache = new PrefixCache(8);
    for (const count of [70, 90, 120, 150]) run(cache, rowsOf("a", count));
    expect(cache.freePages).toBe(5);
    run(cache, rowsOf("a", 80));
    expect(cache.freePages).toBe(5);
    cache.clear();
    expect(cache.freePages).toBe(8);
  });
});

/** One request of the properties below: a walk through a few stretches of rows that often repeat. */
interface Walk {
  readonly stretches: readonly (readonly [letter: number, count: number])[];
  readonly salt: string;
  /** Tenths of its rows that are computed before it ends. */
  readonly tenths: number;
}

const walk: fc.Arbitrary<Walk> = fc.record({
  stretches: fc.array(
    fc.tuple(fc.integer({ min: 0, max: 2 }), fc.constantFrom(1, 7, 63, 64, 65, 130)),
    { minLength: 1, maxLength: 4 },
  ),
  salt: fc.constantFrom("", "", "", "salt"),
  tenths: fc.constantFrom(0, 3, 10, 10, 10),
});

const walked = ({ stretches }: Walk): number[] =>
  stretches.flatMap(([letter, count]) => new Array<number>(count).fill(letter));

const common = (a: readonly RowContent[], b: readonly RowContent[]): number => {
  let i = 0;
  while (i < a.length && i < b.length && a[i] === b[i]) i++;
  return i;
};

/**
 * Runs `walks` over a memory in which each row records the salt and the rows that it was computed from.
 * Checks that each request finds what it would have computed itself.
 *
 * @param isRoomy whether nothing is evicted, so that the longest common prefix must be found
 */
function check(pages: number, walks: readonly (Walk | "clear")[], isRoomy: boolean): void {
  const cache = new PrefixCache(pages);
  const memory = new Array<string>(pages * PAGE_TOKENS).fill("");
  const at = ({ pages: own }: Sequence, row: number) =>
    (own[Math.floor(row / PAGE_TOKENS)] as number) * PAGE_TOKENS + (row % PAGE_TOKENS);
  let ended: { rows: number[]; salt: string }[] = [];
  for (const step of walks) {
    if (step === "clear") {
      cache.clear();
      ended = [];
      expect(cache.freePages).toBe(pages);
      continue;
    }
    const rows = walked(step).slice(0, pages * PAGE_TOKENS);
    const { salt } = step;
    const identity = (row: number) => `${salt}:${rows.slice(0, row + 1).join()}`;
    const sequence = cache.begin(rows, salt);
    const found = sequence.computed;
    for (let row = 0; row < found; row++) expect(memory[at(sequence, row)]).toBe(identity(row));
    expect(found).toBeLessThan(rows.length);
    if (isRoomy) {
      const same = ended.filter((other) => other.salt === salt);
      const longest = Math.max(0, ...same.map((other) => common(other.rows, rows)));
      expect(found).toBe(Math.min(longest, rows.length - 1));
    }
    const computed = Math.max(found, Math.floor((rows.length * step.tenths) / 10));
    // Reserve half at once, as for a prompt, and then row by row, as for an answer.
    for (let next = found, room = Math.ceil((found + rows.length) / 2); next < computed; next++) {
      const copy = cache.reserve(sequence, Math.max(room, next + 1));
      if (copy) {
        const { from, to } = copy;
        memory.copyWithin(to * PAGE_TOKENS, from * PAGE_TOKENS, (from + 1) * PAGE_TOKENS);
      }
      memory[at(sequence, next)] = identity(next);
      sequence.computed = next + 1;
      room = 0;
    }
    for (let row = 0; row < computed; row++) expect(memory[at(sequence, row)]).toBe(identity(row));
    cache.end(sequence);
    if (computed > 0) ended.push({ rows: rows.slice(0, computed), salt });
    const again = cache.begin(rows, salt);
    expect(again.computed).toBe(Math.min(computed, rows.length - 1));
    cache.end(again);
  }
  cache.clear();
  expect(cache.freePages).toBe(pages);
}

describe("random requests", () => {
  const steps = fc.array(fc.oneof({ weight: 9, arbitrary: walk }, fc.constant("clear" as const)), {
    maxLength: 12,
  });

  test("find rows equal to those they would compute, in little room", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), steps, (pages, walks) =>
        check(pages, walks, false),
      ),
    );
  });

  test("find the longest common prefix, with room for all", () => {
    fc.assert(fc.property(steps, (walks) => check(200, walks, true)));
  });
});
