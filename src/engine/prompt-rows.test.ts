import { describe, expect, test } from "vitest";
import { ROW_WORDS } from "../ops/row.ts";
import { promptContents, writePromptRows } from "./prompt-rows.ts";

/** Words of a row, see `shaders/lib/row.wgsl`. */
const [TOKEN, POSITION, FIRST, LAST, WINDOW_FIRST] = [3, 5, 6, 7, 8] as const;

function written(rows: Parameters<typeof writePromptRows>[1], start: number, count: number) {
  const words = new Uint32Array(4 * ROW_WORDS);
  writePromptRows(words, rows, start, count);
  const column = (word: number): number[] =>
    Array.from({ length: 4 }, (_, i) => words[i * ROW_WORDS + word] as number);
  return { column };
}

describe("writePromptRows", () => {
  const tokens = [10, 11, 12, 13, 14, 15];

  test("rows attend to all before them", () => {
    const { column } = written({ tokens }, 2, 4);
    expect(column(TOKEN)).toEqual([12, 13, 14, 15]);
    expect(column(POSITION)).toEqual([2, 3, 4, 5]);
    expect(column(FIRST)).toEqual([0, 0, 0, 0]);
    expect(column(LAST)).toEqual([2, 3, 4, 5]);
    expect(column(WINDOW_FIRST)).toEqual([0, 0, 0, 0]);
  });

  test("a window ends at a row, a span after it", () => {
    const last = Uint32Array.of(0, 1, 4, 4, 4, 5);
    const { column } = written({ tokens, last, window: 3 }, 1, 4);
    expect(column(FIRST)).toEqual([0, 0, 0, 0]);
    expect(column(LAST)).toEqual([1, 4, 4, 4]);
    expect(column(WINDOW_FIRST)).toEqual([0, 0, 1, 2]);
  });

  test("a window ends within a span that is larger, whichever row the chunk starts with", () => {
    const last = Uint32Array.of(0, 4, 4, 4, 4, 5);
    const spanned = { tokens, last, window: 2 };
    expect(written(spanned, 0, 4).column(WINDOW_FIRST)).toEqual([0, 0, 1, 2]);
    expect(written(spanned, 2, 4).column(WINDOW_FIRST)).toEqual([1, 2, 3, 4]);
    expect(written(spanned, 2, 4).column(LAST)).toEqual([4, 4, 4, 5]);
  });

  test("rows beyond the chunk attend to nothing", () => {
    const { column } = written({ tokens, window: 2 }, 4, 2);
    expect(column(POSITION)).toEqual([4, 5, 0xffffffff, 0xffffffff]);
    expect(column(FIRST)).toEqual([0, 0, 1, 1]);
    expect(column(LAST)).toEqual([4, 5, 0, 0]);
    expect(column(WINDOW_FIRST)).toEqual([3, 4, 1, 1]);
  });
});

describe("promptContents of a prompt whose rows attend to one another", () => {
  const layout = { tokenCount: 2 } as Parameters<typeof promptContents>[1][number]["layout"];
  const contents = (ids: number[], key?: string) =>
    promptContents(ids, [key === undefined ? { layout } : { layout, key }], 9, "prompt");

  test("each row is of all of it", () => {
    const rows = contents([9, 9, 5, 6], "cat");
    expect(rows.length).toBe(4);
    expect(new Set(rows).size).toBe(1);
    expect(contents([9, 9, 5, 6], "cat")).toEqual(rows);
  });

  test("another id, another image, or more of it makes all rows others", () => {
    const [row] = contents([9, 9, 5, 6], "cat");
    expect(contents([9, 9, 5, 7], "cat")).not.toContain(row);
    expect(contents([9, 9, 5, 6], "dog")).not.toContain(row);
    expect(contents([9, 9, 5, 6, 6], "cat")).not.toContain(row);
  });

  test("with an image without key it equals no other", () => {
    const [row, next] = contents([9, 9, 5]);
    expect(typeof row).toBe("symbol");
    expect(next).toBe(row);
    expect(contents([9, 9, 5])).not.toContain(row);
  });
});
