import { describe, expect, test } from "vitest";
import { RowChunker } from "./row-chunker.ts";

/** Pushes 0, 1, 2 ... cut into pieces of these sizes. */
async function write(rowBytes: number, sizes: readonly number[]) {
  const written: { first: number; count: number; bytes: number[] }[] = [];
  const chunker = new RowChunker(rowBytes, async (first, count, bytes) => {
    await null;
    written.push({ first, count, bytes: [...bytes] });
  });
  let next = 0;
  for (const size of sizes) {
    const piece = Uint8Array.from({ length: size }, () => next++);
    await chunker.push(piece);
    piece.fill(255);
  }
  return { written, rows: chunker.rows };
}

describe("RowChunker", () => {
  test.each([
    [4, [12]],
    [4, [1, 1, 1, 1, 1, 7]],
    [4, [3, 6, 3]],
    [4, [5, 0, 7]],
    [12, [11, 1]],
    [2, [7, 5]],
    [1, [3, 9]],
  ])("rows of %i bytes from pieces of %j", async (rowBytes, sizes) => {
    const { written, rows } = await write(rowBytes, sizes);
    expect(rows).toBe(12 / rowBytes);
    let next = 0;
    for (const { first, count, bytes } of written) {
      expect(first).toBe(next);
      expect(bytes.length).toBe(count * rowBytes);
      next += count;
    }
    expect(written.flatMap(({ bytes }) => bytes)).toEqual([...Array(12).keys()]);
  });

  test("keeps the beginning of a row until its end arrives", async () => {
    const { written, rows } = await write(8, [5, 6]);
    expect(rows).toBe(1);
    expect(written).toEqual([{ first: 0, count: 1, bytes: [0, 1, 2, 3, 4, 5, 6, 7] }]);
  });

  test("passes consecutive rows on at once", async () => {
    const { written } = await write(2, [9, 3]);
    expect(written.map(({ count }) => count)).toEqual([4, 1, 1]);
  });
});
