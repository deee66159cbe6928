import { describe, expect, test } from "vitest";
import {
  maxCrossAttentionImages,
  crossAttentionRanges,
  crossAttentionContents,
  crossAttentionRows,
} from "./cross-attention.ts";

const IMAGE = 99;
const RING = { rows: 10, N: 40 };
const keyed = (...seen: number[]) => seen.map((attendedKeys) => ({ attendedKeys }));

describe("placeImageKeys", () => {
  test("puts what is seen from the start on, and the rest before the end", () => {
    const places = crossAttentionRows(keyed(4, 10, 7), RING);
    expect(places.map((of) => [...of])).toEqual([
      [0, 1, 2, 3, 34, 35, 36, 37, 38, 39],
      [4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
      [14, 15, 16, 17, 18, 19, 20, 31, 32, 33],
    ]);
  });

  test("fills the ring without two in one place, whatever images there are", () => {
    for (const seen of [
      [1, 1, 1, 1],
      [10, 10, 10, 10],
      [3, 10, 1, 8],
    ]) {
      const all = crossAttentionRows(keyed(...seen), RING).flatMap((places) => [...places]);
      expect([...new Set(all)].sort((a, b) => a - b)).toEqual(
        Array.from({ length: 40 }, (_, i) => i),
      );
    }
  });
});

/**
 * The keys that each row sees, as the reference finds them: from an image's token on up to the next
 * one's, or, of images at once, the last one's; rows that see none attend to all keys.
 */
function referenceSeen(ids: readonly number[], seen: readonly number[], rows: number) {
  const at = ids.flatMap((id, i) => (id === IMAGE ? [i] : []));
  const spans = at.map((start, k) => [start, at[k + 1] ?? ids.length]);
  let end = ids.length;
  for (const span of [...spans].reverse()) {
    if ((span[0] as number) === (span[1] as number) - 1) span[1] = end;
    end = span[1] as number;
  }
  return ids.map((_, i) => {
    const own = spans.flatMap(([start = 0, end = 0], k) =>
      i >= start && i < end ? Array.from({ length: seen[k] as number }, (_, j) => `${k} ${j}`) : [],
    );
    const all = seen.flatMap((_, k) => Array.from({ length: rows }, (_, j) => `${k} ${j}`));
    return { keys: (own.length > 0 ? own : all).sort(), after: own.length > 0 };
  });
}

describe("imageRanges", () => {
  test.each([
    { name: "one image", ids: [1, 2, IMAGE, 3, 4], seen: [4] },
    { name: "at the start", ids: [IMAGE, 3, 4], seen: [10] },
    { name: "at the end", ids: [1, IMAGE], seen: [5] },
    { name: "two apart", ids: [1, IMAGE, 2, IMAGE, 3], seen: [4, 6] },
    { name: "two at once", ids: [1, IMAGE, IMAGE, 3], seen: [4, 6] },
    {
      name: "three at once, and one",
      ids: [1, IMAGE, IMAGE, IMAGE, 3, IMAGE, 4],
      seen: [2, 3, 10, 1],
    },
    { name: "one, and two at once", ids: [IMAGE, 1, IMAGE, IMAGE], seen: [2, 3, 4] },
  ])("$name", ({ ids, seen }) => {
    const places = crossAttentionRows(keyed(...seen), RING);
    const nameOf = new Map(
      places.flatMap((of, k) => [...of].map((place, j) => [place, `${k} ${j}`] as const)),
    );
    const ranges =
      crossAttentionRanges(ids, keyed(...seen), IMAGE, RING) ?? expect.fail("no ranges");
    const found = ranges.map(({ crossFirst, crossLast, afterImage }) => {
      const count = crossLast - crossFirst + 1;
      const keys = Array.from({ length: count }, (_, i) => nameOf.get((crossFirst + i) % RING.N));
      expect(crossLast).toBeLessThan(2 * RING.N);
      return { keys: keys.sort(), after: afterImage };
    });
    expect(found).toEqual(referenceSeen(ids, seen, RING.rows));
  });

  test("there are none without an image", () => {
    expect(crossAttentionRanges([1, 2], [], IMAGE, RING)).toBeUndefined();
  });

  test("each image has a token", () => {
    const ranges = () => crossAttentionRanges([1, IMAGE], keyed(1, 1), IMAGE, RING);
    expect(ranges).toThrow("1 image tokens for 2 images");
    expect(() => crossAttentionRanges([IMAGE], [], IMAGE, RING)).toThrow(RangeError);
  });
});

describe("keyedContents", () => {
  const contents = [1, 2, "A", 3, "B"];

  test("rows before the first image depend on all images", () => {
    const of = (...keys: string[]) =>
      crossAttentionContents(
        contents,
        keys.map((key) => ({ key })),
        2,
      );
    const [first, second, ...rest] = of("A", "B");
    expect(rest).toEqual(["A", 3, "B"]);
    expect(first).not.toEqual(second);
    expect(of("A", "B")).toEqual(of("A", "B"));
    expect(of("A", "C")[0]).not.toEqual(first);
    expect(of("A")[0]).not.toEqual(first);
    expect(of("A,B")[0]).not.toEqual(first);
  });

  test("an image without key is like no other", () => {
    const of = () => crossAttentionContents(contents, [{ key: "A" }, {}], 2);
    expect(typeof of()[0]).toBe("symbol");
    expect(of()[0]).not.toBe(of()[0]);
  });

  test("without images they are what they were", () => {
    expect(crossAttentionContents([1, 2], [], -1)).toEqual([1, 2]);
  });
});

test.each([
  // Llama 3.2 Vision 11B: 8 layers of 4 tiles, 1601 rows each.
  { imageBytes: 16 * 6404 * 4096, tensorBytes: 6404 * 4096, binding: 2 ** 27, images: 2 },
  { imageBytes: 16 * 6404 * 4096, tensorBytes: 6404 * 4096, binding: 2 ** 25, images: 1 },
  { imageBytes: 2 ** 31, tensorBytes: 2 ** 20, binding: 2 ** 27, images: 1 },
  { imageBytes: 2 ** 26, tensorBytes: 2 ** 25, binding: 2 ** 27, images: 4 },
  { imageBytes: 1000, tensorBytes: 100, binding: 2 ** 27, images: 16 },
])("there is room for $images", ({ imageBytes, tensorBytes, binding, images }) => {
  expect(maxCrossAttentionImages(imageBytes, tensorBytes, binding)).toBe(images);
});
