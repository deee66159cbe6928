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
  ])("%i patches go into %i", (patches, bucket) => expect(patchBucket(patches)).toBe(bucket));

  test("wastes less than half, and holds whole 4x4 blocks", () => {
    for (let patches = 64; patches < 20_000; patches += 4) {
      const bucket = patchBucket(patches);
      expect(bucket).toBeGreaterThanOrEqual(patches);
      expect(bucket).toBeLessThan(1.5 * patches + 1);
      expect(bucket % 16).toBe(0);
    }
  });
});

test("blockOrder goes block by block, and row by row inside", () => {
  const order = blockOrder({ grid: [2, 4] }, 2).map(({ y, x }) => `${y}${x}`);
  expect(order).toEqual(["00", "01", "10", "11", "02", "03", "12", "13"]);
});
