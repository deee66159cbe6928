import { describe, expect, test } from "vitest";
import type { ImageLayout } from "../models/model.ts";
import { patchCount, visionPasses } from "./vision-passes.ts";

type Grid = ImageLayout["grid"];

/** A layout with these tiles; undefined: a tile with the layout's own grid. */
function layoutOf(grid: Grid, tiles: readonly (Grid | undefined)[]): ImageLayout {
  return { grid, tiles: tiles.map((own) => (own ? { grid: own } : {})) } as unknown as ImageLayout;
}

const counts = (layout: ImageLayout): number[] => visionPasses(layout).map(({ tiles }) => tiles);

describe("visionPasses", () => {
  test("one tile is one pass, however large", () => {
    const layout = layoutOf([100, 100], [undefined]);
    expect(visionPasses(layout)).toEqual([{ first: 0, tiles: 1, grid: [100, 100] }]);
  });

  test("a pass has a power of two of tiles, and about 1,024 patches at most", () => {
    const tiles = (count: number) => new Array<undefined>(count).fill(undefined);
    expect(counts(layoutOf([16, 16], tiles(3)))).toEqual([2, 1]);
    expect(counts(layoutOf([16, 16], tiles(13)))).toEqual([4, 4, 4, 1]);
    expect(counts(layoutOf([17, 17], tiles(13)))).toEqual([2, 2, 2, 2, 2, 2, 1]);
    expect(counts(layoutOf([32, 32], tiles(3)))).toEqual([1, 1, 1]);
  });

  test("tiles of one pass have the same grid", () => {
    const layout = layoutOf([8, 8], [undefined, [8, 8], [4, 16], [4, 16], [8, 4], undefined]);
    expect(visionPasses(layout)).toEqual([
      { first: 0, tiles: 2, grid: [8, 8] },
      { first: 2, tiles: 2, grid: [4, 16] },
      { first: 4, tiles: 1, grid: [8, 4] },
      { first: 5, tiles: 1, grid: [8, 8] },
    ]);
  });

  test("tiles beyond the wanted ones are left out", () => {
    const layout = layoutOf([16, 16], new Array<undefined>(13).fill(undefined));
    expect(visionPasses(layout, 5).map(({ tiles }) => tiles)).toEqual([4, 1]);
  });

  test("an image without tiles has no pass", () => {
    expect(visionPasses(layoutOf([8, 8], []))).toEqual([]);
  });
});

test("patchCount adds up tiles of different grids", () => {
  expect(patchCount(layoutOf([8, 8], [undefined, [4, 16], [2, 3]]))).toBe(64 + 64 + 6);
});
