import type { Tile } from "./model.ts";

/** A number of tiles across and down. */
export interface TileGrid {
  readonly cols: number;
  readonly rows: number;
}

/** All grids of `min` to `max` tiles, sorted by their number of tiles and then by their width. */
export function tileGrids(min: number, max: number): TileGrid[] {
  const grids: TileGrid[] = [];
  for (let cols = 1; cols <= max; cols++) {
    for (let rows = 1; rows <= max; rows++) {
      if (cols * rows >= min && cols * rows <= max) grids.push({ cols, rows });
    }
  }
  return grids.sort((a, b) => a.cols * a.rows - b.cols * b.rows);
}

/**
 * The grid with the aspect ratio closest to an image's. Ties go to the largest grid that the image
 * covers by more than half. Without grids it is one tile.
 *
 * @param grids sorted by their number of tiles
 * @param tilePixels pixels of one tile
 */
export function closestGrid(
  [width, height]: readonly [number, number],
  grids: readonly TileGrid[],
  tilePixels: number,
): TileGrid {
  let best: TileGrid = { cols: 1, rows: 1 };
  let smallest = Infinity;
  for (const grid of grids) {
    const difference = Math.abs(width / height - grid.cols / grid.rows);
    const isCovered = width * height > 0.5 * tilePixels * grid.cols * grid.rows;
    if (difference < smallest || (difference === smallest && isCovered)) best = grid;
    smallest = Math.min(smallest, difference);
  }
  return best;
}

/** The tiles of a grid, row by row. `first` is the upper left one, and the others have its size. */
export function tilesOf({ cols, rows }: TileGrid, first: Tile): Tile[] {
  return Array.from({ length: cols * rows }, (_, i) => ({
    ...first,
    x: first.x + (i % cols) * first.width,
    y: first.y + Math.floor(i / cols) * first.height,
  }));
}
