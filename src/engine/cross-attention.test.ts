import { describe, expect, test } from "vitest";
import {
  CrossAttentionCache,
  maxCrossAttentionImages,
  crossAttentionRanges,
  crossAttentionContents,
  crossAttentionRows,
} from "./cross-attention.ts";
import type { PreparedImage } from "./generation.ts";

const IMAGE = 99;
const RING = { rows: 10, N: 40 };
const layouts = (...attended: number[]) => attended.map((attendedKeys) => ({ attendedKeys }));

describe("crossAttentionRows", () => {
  test("puts attended keys at the start of the ring and the others at its end", () => {
    const rows = crossAttentionRows(layouts(4, 10, 7), RING);
    expect(rows.map((image) => [...image])).toEqual([
      [0, 1, 2, 3, 34, 35, 36, 37, 38, 39],
      [4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
      [14, 15, 16, 17, 18, 19, 20, 31, 32, 33],
    ]);
  });

  test("fills the ring, and gives no row to two keys", () => {
    for (const attended of [
      [1, 1, 1, 1],
      [10, 10, 10, 10],
      [3, 10, 1, 8],
    ]) {
      const all = crossAttentionRows(layouts(...attended), RING).flatMap((rows) => [...rows]);
      expect([...new Set(all)].sort((a, b) => a - b)).toEqual(
        Array.from({ length: 40 }, (_, i) => i),
      );
    }
  });
});

/**
 * The keys that each row attends to, as transformers computes them. An image is visible from its token
 * to the token of the next image; neighbouring images are visible as long as the last one of them. Rows
 * that see no image attend to all keys.
 */
function referenceKeys(ids: readonly number[], attended: readonly number[], rows: number) {
  const at = ids.flatMap((id, i) => (id === IMAGE ? [i] : []));
  const visible = at.map((start, k) => [start, at[k + 1] ?? ids.length]);
  let end = ids.length;
  for (const range of [...visible].reverse()) {
    if ((range[0] as number) === (range[1] as number) - 1) range[1] = end;
    end = range[1] as number;
  }
  const names = (k: number, count: number) => Array.from({ length: count }, (_, j) => `${k} ${j}`);
  return ids.map((_, i) => {
    const own = visible.flatMap(([start = 0, end = 0], k) =>
      i >= start && i < end ? names(k, attended[k] as number) : [],
    );
    const all = attended.flatMap((_, k) => names(k, rows));
    return { keys: (own.length > 0 ? own : all).sort(), after: own.length > 0 };
  });
}

describe("crossAttentionRanges", () => {
  test.each([
    { name: "one image", ids: [1, 2, IMAGE, 3, 4], attended: [4] },
    { name: "an image at the start", ids: [IMAGE, 3, 4], attended: [10] },
    { name: "an image at the end", ids: [1, IMAGE], attended: [5] },
    { name: "two images with text between", ids: [1, IMAGE, 2, IMAGE, 3], attended: [4, 6] },
    { name: "two neighbouring images", ids: [1, IMAGE, IMAGE, 3], attended: [4, 6] },
    {
      name: "three neighbouring images, and one",
      ids: [1, IMAGE, IMAGE, IMAGE, 3, IMAGE, 4],
      attended: [2, 3, 10, 1],
    },
    {
      name: "one image, and two neighbouring ones",
      ids: [IMAGE, 1, IMAGE, IMAGE],
      attended: [2, 3, 4],
    },
  ])("$name", ({ ids, attended }) => {
    const nameOf = new Map(
      crossAttentionRows(layouts(...attended), RING).flatMap((rows, k) =>
        [...rows].map((row, j) => [row, `${k} ${j}`] as const),
      ),
    );
    const ranges =
      crossAttentionRanges(ids, layouts(...attended), IMAGE, RING) ?? expect.fail("no ranges");
    const found = ranges.map(({ crossFirst, crossLast, afterImage }) => {
      const count = crossLast - crossFirst + 1;
      const keys = Array.from({ length: count }, (_, i) => nameOf.get((crossFirst + i) % RING.N));
      expect(crossLast).toBeLessThan(2 * RING.N);
      return { keys: keys.sort(), after: afterImage };
    });
    expect(found).toEqual(referenceKeys(ids, attended, RING.rows));
  });

  test("is undefined without an image", () => {
    expect(crossAttentionRanges([1, 2], [], IMAGE, RING)).toBeUndefined();
  });

  test("rejects ids with another number of image tokens", () => {
    const ranges = () => crossAttentionRanges([1, IMAGE], layouts(1, 1), IMAGE, RING);
    expect(ranges).toThrow("prompt has 1 image tokens, expected 2 for its images");
    expect(() => crossAttentionRanges([IMAGE], [], IMAGE, RING)).toThrow(RangeError);
  });
});

describe("crossAttentionContents", () => {
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

  test("with an image without key, rows equal those of no other prompt", () => {
    const of = () => crossAttentionContents(contents, [{ key: "A" }, {}], 2);
    expect(typeof of()[0]).toBe("symbol");
    expect(of()[0]).not.toBe(of()[0]);
  });

  test("without images, rows stay as they are", () => {
    expect(crossAttentionContents([1, 2], [], -1)).toEqual([1, 2]);
  });
});

describe("CrossAttentionCache", () => {
  const image = (key?: string) =>
    ({ ...(key && { key }), layout: { attendedKeys: 4 } }) as unknown as PreparedImage;
  /** What is encoded, and what is found, for images with these keys. */
  const encode = async (cache: CrossAttentionCache, keys: (string | undefined)[], salt = "") => {
    const encoded: string[] = [];
    const found: string[] = [];
    await cache.encodeMissing(
      { images: keys.map(image), cacheSalt: salt },
      async ({ key = "none" }, rows) => void encoded.push(`${key} at ${rows[0]}`),
      ({ key = "none" }) => void found.push(key),
    );
    return { encoded, found };
  };

  test("encodes only images after a common beginning", async () => {
    const cache = new CrossAttentionCache(RING);
    expect((await encode(cache, ["a", "b"])).encoded).toEqual(["a at 0", "b at 4"]);
    expect(await encode(cache, ["a", "b", "c"])).toEqual({
      encoded: ["c at 8"],
      found: ["a", "b"],
    });
    expect(await encode(cache, ["a", "c"])).toEqual({ encoded: ["c at 4"], found: ["a"] });
    // The image that was third was overwritten with all that followed the second.
    expect((await encode(cache, ["a", "b", "c"])).encoded).toEqual(["b at 4", "c at 8"]);
  });

  test("finds no image without key, none after it and none of another salt", async () => {
    const cache = new CrossAttentionCache(RING);
    await encode(cache, ["a", undefined, "b"]);
    expect((await encode(cache, ["a", undefined, "b"])).found).toEqual(["a"]);
    expect((await encode(cache, ["a"], "salt")).found).toEqual([]);
    expect((await encode(cache, ["a"], "salt")).found).toEqual(["a"]);
  });

  test("forgets an image that failed, and one that was encoded during clear", async () => {
    const cache = new CrossAttentionCache(RING);
    await encode(cache, ["a", "b"]);
    const failed = cache.encodeMissing({ images: [image("c")] }, () => Promise.reject(new Error()));
    await expect(failed).rejects.toThrow();
    expect((await encode(cache, ["a"])).found).toEqual([]);
    await cache.encodeMissing({ images: [image("d")] }, async () => cache.clear());
    expect((await encode(cache, ["d"])).found).toEqual([]);
  });
});

test.each([
  // Llama 3.2 Vision 11B: 8 layers of 4 tiles, 1601 rows each.
  { imageBytes: 16 * 6404 * 4096, tensorBytes: 6404 * 4096, binding: 2 ** 27, images: 2 },
  { imageBytes: 16 * 6404 * 4096, tensorBytes: 6404 * 4096, binding: 2 ** 25, images: 1 },
  { imageBytes: 2 ** 31, tensorBytes: 2 ** 20, binding: 2 ** 27, images: 1 },
  { imageBytes: 2 ** 26, tensorBytes: 2 ** 25, binding: 2 ** 27, images: 4 },
  { imageBytes: 1000, tensorBytes: 100, binding: 2 ** 27, images: 16 },
])(
  "maxCrossAttentionImages: $images of $imageBytes bytes",
  ({ imageBytes, tensorBytes, binding, images }) => {
    expect(maxCrossAttentionImages(imageBytes, tensorBytes, binding)).toBe(images);
  },
);
