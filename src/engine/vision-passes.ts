import type { ImageLayout, Tile } from "../models/model.ts";

/** About as many patches as keep a GPU busy. */
const PATCHES_PER_PASS = 1024;

type Grid = ImageLayout["grid"];

/** Neighbouring tiles of an image that the vision tower encodes in one pass. */
export interface TileRange {
  /** Index of the first tile. */
  readonly first: number;
  readonly tiles: number;
  /** Patches of each of these tiles, by height and width. */
  readonly grid: Grid;
}

/** @returns the patches of a tile by height and width */
function gridOf(tile: Tile, layout: ImageLayout): Grid {
  return tile.grid ?? layout.grid;
}

/** @returns the patches of all tiles of an image */
export function patchCount(layout: ImageLayout): number {
  return layout.tiles.reduce((sum, tile) => {
    const [height, width] = gridOf(tile, layout);
    return sum + height * width;
  }, 0);
}

/**
 * Cuts an image's tiles into passes. The tiles of a pass have the same grid, and their number is a
 * power of two, so that few sizes of passes are ever recorded.
 *
 * @param count how many of the layout's tiles, from the first on, to encode; default all
 */
export function visionPasses(layout: ImageLayout, count = layout.tiles.length): TileRange[] {
  const tiles = layout.tiles.slice(0, count);
  const passes: TileRange[] = [];
  for (let first = 0; first < tiles.length;) {
    const grid = gridOf(tiles[first] as Tile, layout);
    const sameGrid = (tile: Tile): boolean => gridOf(tile, layout).join() === grid.join();
    let end = first + 1;
    while (end < tiles.length && sameGrid(tiles[end] as Tile)) end++;
    const most = Math.max(1, Math.floor(PATCHES_PER_PASS / (grid[0] * grid[1])));
    const passTiles = 2 ** Math.floor(Math.log2(Math.min(end - first, most)));
    passes.push({ first, tiles: passTiles, grid });
    first += passTiles;
  }
  return passes;
}
