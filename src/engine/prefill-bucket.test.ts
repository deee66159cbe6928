import { describe, expect, test } from "vitest";
import { prefillBucket } from "./prefill-bucket.ts";

describe("prefillBucket", () => {
  const buckets = (limits: Parameters<typeof prefillBucket>[1], ...rows: number[]) =>
    rows.map((count) => prefillBucket(count, limits));

  test("is the smallest bucket that holds a chunk", () => {
    const limits = { preparedRows: 256, maxRows: 256 };
    expect(buckets(limits, 1, 2, 32, 33, 64, 65, 128, 129, 256)).toEqual([
      32, 32, 32, 64, 64, 128, 128, 256, 256,
    ]);
  });

  test("ends at the prepared rows, whatever their number", () => {
    expect(buckets({ preparedRows: 100, maxRows: 100 }, 1, 33, 65, 100)).toEqual([
      32, 64, 100, 100,
    ]);
    expect(buckets({ preparedRows: 5, maxRows: 5 }, 1, 5)).toEqual([5, 5]);
  });

  test("of a larger bidirectional block grows in steps, up to the context length", () => {
    const limits = { preparedRows: 256, maxRows: 4000 };
    expect(buckets(limits, 257, 512, 513, 1024, 1025, 2049, 3073, 4000)).toEqual([
      512, 512, 1024, 1024, 2048, 3072, 4000, 4000,
    ]);
  });

  test("rejects a chunk that is larger than any may be", () => {
    expect(() => prefillBucket(257, { preparedRows: 256, maxRows: 256 })).toThrow(
      new RangeError("prefillBucket: chunk of 257 rows, expected at most 256"),
    );
  });
});
