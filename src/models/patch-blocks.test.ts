import { describe, expect, test } from "vitest";
import { blockOrder, patchBucket } from "./patch-blocks.ts";

describe("patchBucket", () => {
  test.each([
    [1, 64],
    [64, 64],
    [65, 96],
    [97, 128],
    [129, 192],
    [1500, 1536],
    [1537, 2048],
    [16_384, 16_384],
  ])("%i patches take a bucket of %i", (patches, bucket) =>
    expect(patchBucket(patches)).toBe(bucket),
  );

  test("a bucket is less than half empty, and holds whole blocks of 4x4", () => {
    for (let patches = 64; patches < 20_000; patches += 4) {
      const bucket = patchBucket(patches);
      expect(bucket).toBeGreaterThanOrEqual(patches);
      expect(bucket).toBeLessThan(1.5 * patches + 1);
      expect(bucket % 16).toBe(0);
    }
  });
});

test("blockOrder lists block by block, and row by row within a block", () => {
  const order = blockOrder({ grid: [2, 4] }, 2).map(({ y, x }) => `${y}${x}`);
  expect(order).toEqual(["00", "01", "10", "11", "02", "03", "12", "13"]);
});
