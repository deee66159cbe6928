import { describe, expect, test } from "vitest";
import { chunkEnd, lastAttended } from "./bidirectional-blocks.ts";
import type { PreparedImage } from "./generation.ts";

const IMAGE = 9;

const image = (tokenCount: number) => ({ layout: { tokenCount } }) as Pick<PreparedImage, "layout">;

describe("lastAttended", () => {
  const ids = [1, IMAGE, IMAGE, IMAGE, 2, IMAGE, IMAGE, 3];

  test("by default is a row's own position", () => {
    const last = lastAttended(ids, [image(3), image(2)], IMAGE, undefined);
    expect([...last]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test("of an image's rows is the last of them", () => {
    const last = lastAttended(ids, [image(3), image(2)], IMAGE, "images");
    expect([...last]).toEqual([0, 3, 3, 3, 4, 6, 6, 7]);
  });

  test("of an image in parts is the last of the part", () => {
    const last = lastAttended(ids, [image(5)], IMAGE, "images");
    expect([...last]).toEqual([0, 3, 3, 3, 4, 6, 6, 7]);
  });

  test("of images side by side is each one's own", () => {
    const last = lastAttended([IMAGE, IMAGE, IMAGE], [image(1), image(2)], IMAGE, "images");
    expect([...last]).toEqual([0, 2, 2]);
  });

  test("of a whole prompt is its last row", () => {
    const last = lastAttended(ids, [image(3), image(2)], IMAGE, "prompt");
    expect([...last]).toEqual([7, 7, 7, 7, 7, 7, 7, 7]);
  });
});

describe("chunkEnd", () => {
  /** Ends of all chunks of a prompt from `start` on. */
  const ends = (last: number[], rows: number, start = 0): number[] => {
    const all: number[] = [];
    for (let end = start; end < last.length; all.push(end)) {
      end = chunkEnd(Uint32Array.from(last), end, rows);
    }
    return all;
  };

  test("cuts text anywhere", () => {
    const last = Array.from({ length: 10 }, (_, i) => i);
    expect(ends(last, 4)).toEqual([4, 8, 10]);
    expect(ends(last, 1)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(ends(last, 100, 3)).toEqual([10]);
  });

  test("cuts no span, and makes a larger chunk for one that is larger", () => {
    const last = [0, 1, 4, 4, 4, 5, 6, 9, 9, 9];
    expect(ends(last, 3)).toEqual([2, 5, 7, 10]);
    expect(ends(last, 4)).toEqual([2, 6, 10]);
    expect(ends(last, 5)).toEqual([5, 10]);
    expect(ends(last, 1)).toEqual([1, 2, 5, 6, 7, 10]);
  });

  test("goes on within a span whose beginning is cached", () => {
    expect(ends([0, 4, 4, 4, 4, 5], 2, 3)).toEqual([5, 6]);
    expect(ends([0, 4, 4, 4, 4, 5], 1, 2)).toEqual([5, 6]);
  });
});
