import { describe, expect, test } from "vitest";
import { chunkEnd, bidirectionalEnds } from "./bidirectional-blocks.ts";
import type { PreparedImage } from "./generation.ts";

const IMAGE = 9;

const image = (tokenCount: number) => ({ layout: { tokenCount } }) as Pick<PreparedImage, "layout">;

describe("bidirectionalEnds", () => {
  const ids = [1, IMAGE, IMAGE, IMAGE, 2, IMAGE, IMAGE, 3];

  test("is undefined for a causal model", () => {
    expect(bidirectionalEnds(ids, [image(3), image(2)], IMAGE, undefined)).toBeUndefined();
  });

  test("of an image's row is the last row of the image", () => {
    const last = bidirectionalEnds(ids, [image(3), image(2)], IMAGE, "images");
    expect(last).toEqual(Uint32Array.of(0, 3, 3, 3, 4, 6, 6, 7));
  });

  test("of an image in two runs is the last row of the run", () => {
    const last = bidirectionalEnds(ids, [image(5)], IMAGE, "images");
    expect(last).toEqual(Uint32Array.of(0, 3, 3, 3, 4, 6, 6, 7));
  });

  test("of neighbouring images is the last row of the same image", () => {
    const last = bidirectionalEnds([IMAGE, IMAGE, IMAGE], [image(1), image(2)], IMAGE, "images");
    expect(last).toEqual(Uint32Array.of(0, 2, 2));
  });

  test("of a row of a bidirectional prompt is the prompt's last row", () => {
    const last = bidirectionalEnds(ids, [image(3), image(2)], IMAGE, "prompt");
    expect(last).toEqual(new Uint32Array(8).fill(7));
  });
});

describe("chunkEnd", () => {
  /** The ends of all chunks from `start` on. */
  const ends = (last: number[], maxRows: number, start = 0): number[] => {
    const rows = { tokens: last, bidirectionalEnds: Uint32Array.from(last) };
    const all: number[] = [];
    for (let end = start; end < last.length; all.push(end)) end = chunkEnd(rows, end, maxRows);
    return all;
  };

  test("cuts text anywhere", () => {
    const last = Array.from({ length: 10 }, (_, i) => i);
    expect(ends(last, 4)).toEqual([4, 8, 10]);
    expect(ends(last, 1)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(ends(last, 100, 3)).toEqual([10]);
    expect(chunkEnd({ tokens: last }, 3, 4)).toBe(7);
    expect(chunkEnd({ tokens: last }, 8, 4)).toBe(10);
  });

  test("never cuts a block, and makes a larger chunk for a larger block", () => {
    const last = [0, 1, 4, 4, 4, 5, 6, 9, 9, 9];
    expect(ends(last, 3)).toEqual([2, 5, 7, 10]);
    expect(ends(last, 4)).toEqual([2, 6, 10]);
    expect(ends(last, 5)).toEqual([5, 10]);
    expect(ends(last, 1)).toEqual([1, 2, 5, 6, 7, 10]);
  });

  test("continues within a block whose first rows are cached", () => {
    expect(ends([0, 4, 4, 4, 4, 5], 2, 3)).toEqual([5, 6]);
    expect(ends([0, 4, 4, 4, 4, 5], 1, 2)).toEqual([5, 6]);
  });
});
